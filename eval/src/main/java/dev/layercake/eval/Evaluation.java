package dev.layercake.eval;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * A list of samples and what they have in common.
 *
 * @param name "needle"
 * @param samples may be made when they are asked for, so that a long list of long texts needs no memory
 * @param setup what makes two samples of the same id the same: seed, text, phrasing; results of another setup do not mix
 * @param view how reports show the outcomes
 */
public record Evaluation(String name, List<Sample> samples, SequencedMap<String, String> setup, View view) {
    public Evaluation {
        setup = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(setup));
    }

    /** The same with other samples of the same setup. */
    public Evaluation with(List<Sample> others) {
        return new Evaluation(name, others, setup, view);
    }

    /** The names of its samples. */
    public List<String> ids() {
        return ids(samples);
    }

    static List<String> ids(List<Sample> samples) {
        return samples.stream().map(Sample::id).toList();
    }

    /**
     * Which labels a report groups by.
     *
     * @param columns label whose values are the columns of tables and the panels of charts
     * @param across label whose values run from left to right in heat maps; empty for no heat maps
     * @param down label whose values run downwards in heat maps
     * @param graded whether answers are more or less right: then their mean score is shown instead of the share of right ones, and
     *     the whole is the mean of the columns, each counting the same, as official reports have it
     */
    public record View(String columns, String across, String down, boolean graded) {
        /** Tables and charts only. */
        public static View table(String columns) {
            return new View(columns, "", "", false);
        }

        /** Tables and charts of mean scores. */
        public static View scores(String columns) {
            return new View(columns, "", "", true);
        }

        boolean hasHeatMap() {
            return !across.isEmpty();
        }
    }
}
