package dev.layercake.eval;

import dev.layercake.engine.ModelFingerprint;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Parameter;
import dev.layercake.kv.policy.Policies;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A policy with a budget, as it enters an evaluation. Where the spec leaves the window open, it is the policy's default but
 * at most half of the budget: at tiny budgets the default alone would fill it. Reports state the window that was used.
 *
 * @param policy its spec, without blanks, and without the budget if that is given beside it
 * @param budget {@link Budget#OWN} if the spec says it, or if the policy knows none
 * @param files digests of the files that the spec names; empty if it names none
 */
public record Contender(String policy, Budget budget, String files) {
    /** An even number of quotes follows. */
    private static final String OUTSIDE_QUOTES = "(?=([^\"]*\"[^\"]*\")*[^\"]*$)";

    private static final Pattern BUDGET_GIVEN = Pattern.compile("[(,]budget=");
    private static final Pattern WINDOW_GIVEN = Pattern.compile("[(,]window=");

    /** A contender whose spec names no file. */
    Contender(String policy, Budget budget) {
        this(policy, budget, "");
    }

    /**
     * Every policy at every budget; those whose spec names a budget, or that know none, once.
     *
     * @param specs as after {@code --kv}
     * @throws dev.layercake.kernels.LayercakeException (bad input) if a spec is wrong
     */
    public static List<Contender> grid(List<String> specs, List<Budget> budgets) {
        List<Contender> all = new ArrayList<>();
        for (String given : specs) {
            Policies.parse(given);
            String spec = given.replaceAll("\\s" + OUTSIDE_QUOTES, "");
            String files = files(spec);
            if (parameter(spec, "budget").isEmpty()
                    || BUDGET_GIVEN.matcher(spec).find()) {
                add(all, new Contender(spec, Budget.OWN, files));
            } else {
                budgets.forEach(budget -> add(all, new Contender(spec, budget, files)));
            }
        }
        return List.copyOf(all);
    }

    /** What the files that a spec names hold, as far as they are there: "profile=1a2b3c4d". */
    private static String files(String spec) {
        List<String> digests = new ArrayList<>();
        Policies.files(spec).forEach((key, file) -> {
            if (Files.isReadable(file)) {
                digests.add(key + "=" + ModelFingerprint.of(file));
            }
        });
        return String.join(",", digests);
    }

    private static void add(List<Contender> all, Contender contender) {
        if (!all.contains(contender)) {
            all.add(contender);
        }
    }

    /**
     * The policy for a prompt.
     *
     * @param promptTokens of which a share is meant
     * @throws dev.layercake.kernels.LayercakeException (bad input) if the budget does not hold what the spec always keeps
     */
    public KvPolicy at(int promptTokens) {
        int entries = budget.entries(promptTokens);
        if (entries == 0) {
            return Policies.parse(policy);
        }
        String settings = "budget=" + entries;
        Optional<Parameter> window = parameter(policy, "window");
        if (window.isPresent() && !WINDOW_GIVEN.matcher(policy).find()) {
            int usual = Integer.parseInt(window.get().initial());
            settings += ",window=" + Math.min(usual, Math.max(1, entries / 2));
        }
        return Policies.parse(with(policy, settings));
    }

    /** "cake at 3.2%". */
    public String label() {
        return budget.label().isEmpty() ? policy : policy + " at " + budget.label();
    }

    private static String with(String spec, String settings) {
        int end = nameEnd(spec);
        if (end == spec.length() || spec.charAt(end) != '(') {
            return spec.substring(0, end) + "(" + settings + ")" + spec.substring(end);
        }
        boolean none = spec.startsWith("()", end);
        return spec.substring(0, end + 1) + settings + (none ? "" : ",") + spec.substring(end + 1);
    }

    private static Optional<Parameter> parameter(String spec, String key) {
        String name = spec.substring(0, nameEnd(spec));
        return Policies.all().stream()
                .filter(description -> description.name().equals(name))
                .flatMap(description -> description.parameters().stream())
                .filter(parameter -> parameter.key().equals(key))
                .findFirst();
    }

    private static int nameEnd(String spec) {
        int end = 0;
        while (end < spec.length() && "(+".indexOf(spec.charAt(end)) < 0) {
            end++;
        }
        return end;
    }
}
