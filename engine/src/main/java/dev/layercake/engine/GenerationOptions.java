package dev.layercake.engine;

import dev.layercake.kernels.LayercakeException;
import java.util.List;

/**
 * How an answer is drawn from the model's predictions, and when it ends. Filters apply in this order: repetition penalty,
 * temperature, top-k, top-p, min-p; each sees the distribution that the one before it left, scaled to sum to 1 (the order of
 * Hugging Face's transformers).
 *
 * @param maxTokens most tokens to generate; at least 1
 * @param temperature divides the logits; 0 takes the likeliest token always, and then neither filters nor seed matter
 * @param topK keeps the k likeliest tokens; 0 keeps all
 * @param topP keeps the fewest likeliest tokens whose probabilities sum to at least this; 1 keeps all
 * @param minP keeps tokens at least this likely, relative to the likeliest; 0 keeps all
 * @param repetitionPenalty divides positive and multiplies negative logits of recent tokens (CTRL, section 4.1); 1 for none
 * @param penaltyWindow how many of the last tokens, the prompt's included, count as recent
 * @param seed of the random numbers; the same seed, model, prompt and policy give the same tokens
 * @param stopStrings texts that end the answer and are not part of it, even where they span tokens; one that is exactly a
 *     special token ends it by that token
 */
public record GenerationOptions(
        int maxTokens,
        float temperature,
        int topK,
        float topP,
        float minP,
        float repetitionPenalty,
        int penaltyWindow,
        long seed,
        List<String> stopStrings) {
    /** Greedy, up to 256 tokens. */
    public static final GenerationOptions DEFAULT = builder().build();

    /** @throws LayercakeException (bad input) if a value is out of range */
    public GenerationOptions {
        stopStrings = List.copyOf(stopStrings);
        require(maxTokens >= 1, "Max tokens must be at least 1, not " + maxTokens);
        require(temperature >= 0 && temperature <= 100, "Temperature must be between 0 and 100, not " + temperature);
        require(topK >= 0, "Top-k must not be negative, but is " + topK + "; 0 switches it off");
        require(topP > 0 && topP <= 1, "Top-p must be above 0 and at most 1, not " + topP + "; 1 switches it off");
        require(minP >= 0 && minP <= 1, "Min-p must be between 0 and 1, not " + minP + "; 0 switches it off");
        require(
                repetitionPenalty > 0 && repetitionPenalty <= 100,
                "The repetition penalty must be above 0 and at most 100, not " + repetitionPenalty
                        + "; 1 switches it off");
        require(penaltyWindow >= 0, "The penalty window must not be negative, but is " + penaltyWindow);
        require(stopStrings.stream().noneMatch(String::isEmpty), "A stop string must not be empty");
    }

    /** Whether the likeliest token is taken always. */
    public boolean greedy() {
        return temperature == 0;
    }

    /** A builder that begins with greedy decoding of up to 256 tokens. */
    public static Builder builder() {
        return new Builder();
    }

    /** A builder that begins with these options. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.maxTokens = maxTokens;
        builder.temperature = temperature;
        builder.topK = topK;
        builder.topP = topP;
        builder.minP = minP;
        builder.repetitionPenalty = repetitionPenalty;
        builder.penaltyWindow = penaltyWindow;
        builder.seed = seed;
        builder.stopStrings = stopStrings;
        return builder;
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw LayercakeException.badInput(otherwise + ".");
        }
    }

    /** Builds {@link GenerationOptions}; the components' meanings and ranges are the record's. */
    public static final class Builder {
        private int maxTokens = 256;
        private float temperature;
        private int topK;
        private float topP = 1;
        private float minP;
        private float repetitionPenalty = 1;
        private int penaltyWindow = 64;
        private long seed;
        private List<String> stopStrings = List.of();

        private Builder() {}

        public Builder maxTokens(int tokens) {
            this.maxTokens = tokens;
            return this;
        }

        public Builder temperature(float value) {
            this.temperature = value;
            return this;
        }

        public Builder topK(int tokens) {
            this.topK = tokens;
            return this;
        }

        public Builder topP(float probability) {
            this.topP = probability;
            return this;
        }

        public Builder minP(float share) {
            this.minP = share;
            return this;
        }

        public Builder repetitionPenalty(float factor) {
            this.repetitionPenalty = factor;
            return this;
        }

        public Builder penaltyWindow(int tokens) {
            this.penaltyWindow = tokens;
            return this;
        }

        public Builder seed(long value) {
            this.seed = value;
            return this;
        }

        public Builder stopStrings(List<String> texts) {
            this.stopStrings = texts;
            return this;
        }

        public Builder stopStrings(String... texts) {
            return stopStrings(List.of(texts));
        }

        /**
         * The options.
         *
         * @throws LayercakeException (bad input) if a value is out of range
         */
        public GenerationOptions build() {
            return new GenerationOptions(
                    maxTokens, temperature, topK, topP, minP, repetitionPenalty, penaltyWindow, seed, stopStrings);
        }
    }
}
