package dev.layercake.cli;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.IDefaultValueProvider;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;

/** Every option's twin in the environment: {@code --top-k} is {@code LAYERCAKE_TOP_K}. The command line wins. */
final class EnvironmentDefaults implements IDefaultValueProvider {
    private final Map<String, String> environment;

    EnvironmentDefaults(Map<String, String> environment) {
        this.environment = environment;
    }

    @Override
    public @Nullable String defaultValue(ArgSpec argument) {
        if (!(argument instanceof OptionSpec option) || option.usageHelp() || option.versionHelp()) {
            return null;
        }
        String value = environment.get(variable(option));
        return value == null || value.isEmpty() ? null : value;
    }

    static String variable(OptionSpec option) {
        String longest = Arrays.stream(option.names())
                .max(Comparator.comparingInt(String::length))
                .orElseThrow();
        String name = longest.replaceFirst("^-+(\\[no-\\])?", "");
        return "LAYERCAKE_" + name.replace('-', '_').toUpperCase(Locale.ROOT);
    }
}
