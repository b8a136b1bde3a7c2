package dev.layercake.kv.policy;

import dev.layercake.kernels.LayercakeException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The known policies by name, and the one place where a spec string becomes a policy: in the library, on the command line,
 * in a request and in a report it is written the same way. A policy is a method, {@code snapkv(budget=1024)}, or a method
 * and what changes one of its parts, {@code snapkv(budget=1024)+ada(alpha=0.2)}.
 */
public final class Policies {
    private static final List<Method> METHODS = Methods.ALL;
    private static final List<Modifier> MODIFIERS = Modifiers.ALL;

    private Policies() {}

    /**
     * What a policy is called and what its spec may set.
     *
     * @param name as written in a spec
     * @param summary one line for a person
     * @param memory entries per layer and head while decoding
     * @param cost what it computes besides what {@code full} computes
     * @param source paper and reference code
     * @param parameters in the order of the canonical spec
     */
    public record Description(
            String name, String summary, String memory, String cost, String source, List<Parameter> parameters) {
        public Description {
            parameters = List.copyOf(parameters);
        }
    }

    /** A complete policy. */
    record Method(Description description, Function<Settings, KvPolicy> make) {}

    /** What changes a part of a policy. */
    record Modifier(Description description, BiFunction<KvPolicy, Settings, KvPolicy> change) {}

    /** All methods, in the order in which a person should read of them. */
    public static List<Description> all() {
        return METHODS.stream().map(Method::description).toList();
    }

    /** What may follow a method after a plus sign. */
    public static List<Description> modifiers() {
        return MODIFIERS.stream().map(Modifier::description).toList();
    }

    /** The policy that keeps everything. */
    public static KvPolicy full() {
        return parse("full");
    }

    /**
     * The policy that a spec describes: a name, or a name with settings in parentheses, such as {@code
     * cake(budget=1024,window=32)}, perhaps with modifiers after a plus sign. Settings that are not given have their
     * defaults.
     *
     * @throws LayercakeException bad input: what is wrong, where, and what would be possible
     */
    public static KvPolicy parse(String text) {
        List<PolicySpec> parts = PolicySpec.parse(text);
        PolicySpec first = parts.getFirst();
        Method method = METHODS.stream()
                .filter(known -> known.description().name().equals(first.name()))
                .findFirst()
                .orElseThrow(() -> unknown("policy", first.name(), all()));
        KvPolicy policy = method.make().apply(settings(method.description(), first));
        for (PolicySpec part : parts.subList(1, parts.size())) {
            Modifier modifier = MODIFIERS.stream()
                    .filter(known -> known.description().name().equals(part.name()))
                    .findFirst()
                    .orElseThrow(() -> unknown("modifier", part.name(), modifiers()));
            policy = modifier.change().apply(policy, settings(modifier.description(), part));
        }
        return policy;
    }

    /**
     * The files that a policy is made with, by the settings that name them; they need not be there.
     *
     * @throws LayercakeException bad input, if the text is not written like a policy
     */
    public static SequencedMap<String, Path> files(String text) {
        Set<String> keys = Stream.concat(all().stream(), modifiers().stream())
                .flatMap(description -> description.parameters().stream())
                .filter(parameter -> parameter.kind() == Parameter.Kind.FILE)
                .map(Parameter::key)
                .collect(Collectors.toSet());
        SequencedMap<String, Path> files = new LinkedHashMap<>();
        for (PolicySpec part : PolicySpec.parse(text)) {
            part.settings().forEach((key, value) -> {
                if (keys.contains(key)) {
                    files.put(key, Path.of(value));
                }
            });
        }
        return files;
    }

    private static Settings settings(Description description, PolicySpec spec) {
        return new Settings(spec.name(), description.parameters(), spec.settings());
    }

    private static LayercakeException unknown(String kind, String name, List<Description> known) {
        List<String> names = known.stream().map(Description::name).toList();
        boolean modifier = kind.equals("policy")
                && modifiers().stream().anyMatch(other -> other.name().equals(name));
        if (modifier) {
            return LayercakeException.badInput(
                    name + " changes a policy and is none itself; write it after one, like snapkv+" + name + ".");
        }
        return LayercakeException.badInput("There is no " + kind + " " + name + "; did you mean "
                + Nearest.of(name, names) + "? Known are " + String.join(", ", names) + ".");
    }
}
