package dev.layercake.eval;

import dev.layercake.engine.KvUsage;
import dev.layercake.engine.LanguageModel;
import dev.layercake.engine.Session;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kv.policy.KvPolicy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Has a model read excerpts and continue them as they are (teacher forcing), each under every contender before the next excerpt
 * begins. Reading cuts what the policy cuts; the continuation passes token by token, as if it were generated.
 */
public final class LikelihoodRunner {
    /** What every other contender is compared with. */
    public static final Contender FULL = new Contender("full", Budget.OWN);

    private static final double ROUNDING = 1e6;

    private final LanguageModel language;

    public LikelihoodRunner(LanguageModel language) {
        this.language = language;
    }

    /** Follows a run. */
    @FunctionalInterface
    public interface Listener {
        /**
         * Another outcome is known.
         *
         * @param done of {@code total} outcomes, those of earlier runs included
         */
        void finished(Likelihoods outcome, int done, int total);
    }

    /** Contenders with {@link #FULL} before them, unless it is among them. */
    public static List<Contender> withFull(List<Contender> contenders) {
        List<Contender> all = new ArrayList<>(contenders);
        all.remove(FULL);
        all.addFirst(FULL);
        return List.copyOf(all);
    }

    /**
     * Runs what is not in the file yet, and adds it.
     *
     * @throws LayercakeException (bad input) if a budget cannot hold what its policy always keeps, (over capacity) if an excerpt
     *     does not fit; what was finished before is kept
     */
    public void run(
            List<Excerpt> excerpts, List<Contender> contenders, ResultsFile<Likelihoods> results, Listener listener) {
        for (Contender contender : contenders) {
            excerpts.stream()
                    .mapToInt(excerpt -> excerpt.text().prompt().length)
                    .distinct()
                    .forEach(contender::at);
        }
        int total = excerpts.size() * contenders.size();
        int done = results.outcomes(ids(excerpts), contenders).size();
        for (Excerpt excerpt : excerpts) {
            for (Contender contender : contenders) {
                if (!results.has(excerpt.id(), contender)) {
                    Likelihoods outcome = outcome(excerpt, contender);
                    results.add(outcome);
                    done++;
                    listener.finished(outcome, done, total);
                }
            }
        }
    }

    /** The names of excerpts. */
    public static List<String> ids(List<Excerpt> excerpts) {
        return excerpts.stream().map(Excerpt::id).toList();
    }

    private Likelihoods outcome(Excerpt excerpt, Contender contender) {
        int[] prompt = excerpt.text().prompt();
        KvPolicy policy = contender.at(prompt.length);
        long start = System.nanoTime();
        try (Session session = language.session(policy)) {
            double[] found = session.score(prompt, excerpt.text().continuation());
            KvUsage kv = session.kv();
            return new Likelihoods(
                    excerpt.id(),
                    contender.policy(),
                    contender.budget().label(),
                    policy.spec(),
                    contender.files().isEmpty() ? null : contender.files(),
                    prompt.length,
                    Arrays.stream(found)
                            .map(value -> Math.rint(value * ROUNDING) / ROUNDING)
                            .boxed()
                            .toList(),
                    (System.nanoTime() - start) / 1e9,
                    kv.bytesNow(),
                    kv.bytesPeak(),
                    kv.bytesFull());
        }
    }
}
