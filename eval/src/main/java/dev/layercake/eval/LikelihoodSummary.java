package dev.layercake.eval;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * How far policies move what a model expects of a text: against {@code full}, excerpt by excerpt.
 *
 * @param setup what was kept beside the results
 * @param parts of the continuation, each by its first and last token ("1-50")
 */
public record LikelihoodSummary(SequencedMap<String, String> setup, List<String> parts, List<Row> rows) {
    /** Most parts that a continuation is divided into. */
    private static final int PARTS = 4;

    public LikelihoodSummary {
        setup = new LinkedHashMap<>(setup);
        parts = List.copyOf(parts);
        rows = List.copyOf(rows);
    }

    /**
     * What a contender made of the excerpts.
     *
     * @param excerpts how many
     * @param memoryShare KV memory at the end against that of {@code full}
     * @param peakBytes largest KV memory of any excerpt
     * @param perplexity exponential of the mean loss over all tokens
     * @param difference mean over the tokens of an excerpt of |log-probability - that of {@code full}|
     * @param loss nats per token more than {@code full}
     * @param differenceByPart the difference in each part of the continuation
     */
    public record Row(
            String policy,
            String budget,
            int excerpts,
            double memoryShare,
            long peakBytes,
            double perplexity,
            MeanInterval difference,
            MeanInterval loss,
            List<Double> differenceByPart) {
        public Row {
            differenceByPart = List.copyOf(differenceByPart);
        }
    }

    /**
     * Compares outcomes.
     *
     * @param outcomes by excerpts, for each of them that of {@code full} too; all continuations equally long
     */
    public static LikelihoodSummary of(SequencedMap<String, String> setup, List<Likelihoods> outcomes) {
        Map<String, Likelihoods> full = new LinkedHashMap<>();
        Map<List<String>, List<Likelihoods>> byContender = new LinkedHashMap<>();
        for (Likelihoods outcome : outcomes) {
            if (outcome.policy().equals(LikelihoodRunner.FULL.policy())) {
                full.put(outcome.sample(), outcome);
            }
            byContender
                    .computeIfAbsent(List.of(outcome.policy(), outcome.budget()), key -> new ArrayList<>())
                    .add(outcome);
        }
        int tokens =
                outcomes.isEmpty() ? 0 : outcomes.getFirst().logProbabilities().size();
        int count = Math.min(PARTS, tokens);
        List<String> parts = new ArrayList<>();
        for (int part = 0; part < count; part++) {
            int first = bound(part, count, tokens) + 1;
            int last = bound(part + 1, count, tokens);
            parts.add(first == last ? "" + first : first + "-" + last);
        }
        List<Row> rows = new ArrayList<>();
        byContender.forEach(
                (contender, own) -> rows.add(row(contender.getFirst(), contender.getLast(), own, full, count)));
        return new LikelihoodSummary(setup, parts, rows);
    }

    private static int bound(int part, int parts, int tokens) {
        return (int) ((long) tokens * part / parts);
    }

    private static Row row(
            String policy, String budget, List<Likelihoods> outcomes, Map<String, Likelihoods> full, int parts) {
        List<Double> differences = new ArrayList<>();
        List<Double> losses = new ArrayList<>();
        double[] byPart = new double[parts];
        double loss = 0;
        double share = 0;
        long peak = 0;
        for (Likelihoods outcome : outcomes) {
            Likelihoods other = full.get(outcome.sample());
            if (other == null
                    || other.logProbabilities().size()
                            != outcome.logProbabilities().size()) {
                throw new IllegalArgumentException("nothing to compare " + outcome.sample() + " with");
            }
            int tokens = outcome.logProbabilities().size();
            differences.add(outcome.distance(other, 0, tokens));
            losses.add(outcome.loss() - other.loss());
            for (int part = 0; part < parts; part++) {
                byPart[part] += outcome.distance(other, bound(part, parts, tokens), bound(part + 1, parts, tokens))
                        / outcomes.size();
            }
            loss += outcome.loss() / outcomes.size();
            share += (double) outcome.kvBytes() / outcome.kvBytesFull() / outcomes.size();
            peak = Math.max(peak, outcome.kvBytesPeak());
        }
        List<Double> parted = new ArrayList<>();
        for (double part : byPart) {
            parted.add(part);
        }
        return new Row(
                policy,
                budget,
                outcomes.size(),
                share,
                peak,
                Math.exp(loss),
                MeanInterval.of(differences),
                MeanInterval.of(losses),
                parted);
    }
}
