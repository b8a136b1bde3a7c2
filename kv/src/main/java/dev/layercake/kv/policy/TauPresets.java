package dev.layercake.kv.policy;

import java.util.Arrays;
import java.util.List;

/**
 * The exponents that CAKE's authors tuned per model, at budgets of 128 and 1,024 entries (arXiv 2503.12491, appendix;
 * antgroup/cakekv c4675ce). Between the two the nearer one in log scale is taken.
 */
enum TauPresets {
    LLAMA_2_7B("llama-2-7b", 0.9, 2.3, 1.9, 1.8),
    LLAMA_2_13B("llama-2-13b", 1.8, 2.0, 0.5, 0.4),
    LLAMA_3_1_8B("llama-3.1-8b", 1.6, 0.6, 1.6, 0.4),
    MISTRAL_7B_V0_3("mistral-7b-v0.3", 1.0, 0.8, 0.8, 0.5),
    QWEN_2_5_7B("qwen-2.5-7b", 0.4, 0.6, 1.5, 0.6);

    private static final double SMALL_BUDGET = 128;
    private static final double LARGE_BUDGET = 1024;

    private final String label;
    private final double smallTau1;
    private final double smallTau2;
    private final double largeTau1;
    private final double largeTau2;

    TauPresets(String label, double smallTau1, double smallTau2, double largeTau1, double largeTau2) {
        this.label = label;
        this.smallTau1 = smallTau1;
        this.smallTau2 = smallTau2;
        this.largeTau1 = largeTau1;
        this.largeTau2 = largeTau2;
    }

    /** The exponents for a budget. */
    Preference at(int budget) {
        return budget < Math.sqrt(SMALL_BUDGET * LARGE_BUDGET)
                ? new Preference(smallTau1, smallTau2)
                : new Preference(largeTau1, largeTau2);
    }

    static List<String> labels() {
        return Arrays.stream(values()).map(preset -> preset.label).toList();
    }

    static TauPresets of(String label) {
        for (TauPresets preset : values()) {
            if (preset.label.equals(label)) {
                return preset;
            }
        }
        throw new IllegalArgumentException("no preset " + label);
    }
}
