package dev.layercake.kv.policy;

import java.util.Arrays;

/**
 * The scorer of a policy whose gates decide: Attention-Gate (Zeng et al., arXiv 2410.12876; no published code). What the
 * gates let through is kept for good; generated tokens always are.
 *
 * <p>Our reading where the paper is open: one score per KV head, so that a rejected entry frees its memory; every token sees
 * itself, so that no query is left without a key; gates look at the prompt only, in a later turn at its new tokens only.
 */
record GateScorer(Gating gating) implements TokenScorer {
    @Override
    public int window() {
        return 0;
    }

    @Override
    public void scorePrompt(PromptHead head, float[] scores) {
        Arrays.fill(scores, 0, head.count(), 0);
    }
}
