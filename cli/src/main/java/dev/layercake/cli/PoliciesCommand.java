package dev.layercake.cli;

import dev.layercake.kv.policy.Parameter;
import dev.layercake.kv.policy.Policies;
import java.io.PrintStream;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code layercake policies}: what may be written after {@code --kv}. */
@Command(name = "policies", description = "Lists the policies that --kv accepts, and their parameters.")
final class PoliciesCommand implements Callable<Integer> {
    private final Console console;

    @ArgGroup
    Form form = new Form();

    /** How the list is printed; at most one of them. */
    static final class Form {
        @Option(names = "--json", description = "Print one JSON object instead.")
        boolean json;

        @Option(names = "--markdown", description = "Print the tables of docs/policies.md instead.")
        boolean markdown;
    }

    PoliciesCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() {
        PrintStream out = console.out();
        if (form.json) {
            Json.print(out, Map.of("methods", Policies.all(), "modifiers", Policies.modifiers()));
        } else if (form.markdown) {
            out.print(markdown(Policies.all()));
            out.println();
            out.print(markdown(Policies.modifiers()));
        } else {
            print(out, Policies.all());
            out.println();
            out.println("After any of them, with a plus sign:");
            print(out, Policies.modifiers());
            out.println();
            out.println("Write a policy as NAME, NAME(KEY=VALUE,...) or NAME(...)+MODIFIER(...), for example"
                    + " cake(budget=1024,window=32) or snapkv(budget=512)+ada.");
        }
        return 0;
    }

    private static void print(PrintStream out, List<Policies.Description> descriptions) {
        for (Policies.Description policy : descriptions) {
            out.println(policy.name());
            out.println("    " + policy.summary());
            if (!policy.source().isEmpty()) {
                out.println("    " + policy.source());
            }
            out.println("    memory: " + policy.memory() + "; cost: " + policy.cost());
            for (Parameter parameter : policy.parameters()) {
                out.printf("    %-22s %s; %s%n", withDefault(parameter), parameter.meaning(), parameter.range());
            }
        }
    }

    private static String withDefault(Parameter parameter) {
        return parameter.key() + (parameter.initial().isEmpty() ? "" : "=" + parameter.initial());
    }

    private static String markdown(List<Policies.Description> descriptions) {
        StringBuilder table = new StringBuilder("""
                | name | what it does | entries per head while decoding | cost beside `full` | source |
                |---|---|---|---|---|
                """);
        StringBuilder settings = new StringBuilder("\n| name | settings and their defaults |\n|---|---|\n");
        for (Policies.Description policy : descriptions) {
            table.append("| `%s` | %s | %s | %s | %s |%n"
                    .formatted(policy.name(), policy.summary(), policy.memory(), policy.cost(), policy.source()));
            List<String> parameters = policy.parameters().stream()
                    .map(parameter -> "`" + withDefault(parameter) + "` " + parameter.meaning())
                    .toList();
            if (!parameters.isEmpty()) {
                settings.append("| `%s` | %s |%n".formatted(policy.name(), String.join("; ", parameters)));
            }
        }
        return table.append(settings).toString();
    }
}
