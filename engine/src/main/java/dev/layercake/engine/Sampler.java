package dev.layercake.engine;

import dev.layercake.kernels.LayercakeException;
import java.util.SplittableRandom;

/**
 * Draws tokens from logits as {@link GenerationOptions} say. All arrays are made once; a call allocates nothing. One
 * generation's own, not thread-safe.
 */
final class Sampler {
    private final GenerationOptions options;
    private final SplittableRandom random;

    /** Logits of the token to draw, [vocabulary]; the caller fills it, a draw scrambles it. */
    private final float[] logits;

    /** A heap of tokens, likeliest at index 0; beyond its end the tokens taken out, in reverse order. */
    private final int[] heap;

    private final RecentTokens recent;

    Sampler(GenerationOptions options, int vocabularySize) {
        this.options = options;
        this.random = new SplittableRandom(options.seed());
        this.logits = new float[vocabularySize];
        this.heap = options.greedy() ? new int[0] : new int[vocabularySize];
        boolean penalizes = options.repetitionPenalty() != 1;
        this.recent = new RecentTokens(penalizes ? options.penaltyWindow() : 0, penalizes ? vocabularySize : 0);
    }

    /** Where the caller puts the logits before {@link #draw}. */
    float[] logits() {
        return logits;
    }

    /** Notes a token of the prompt or of the answer, for the repetition penalty. */
    void note(int token) {
        recent.note(token);
    }

    /**
     * The next token.
     *
     * @throws LayercakeException (bad model) if no logit is a number
     */
    int draw() {
        recent.penalize(logits, options.repetitionPenalty());
        int likeliest = likeliest();
        return options.greedy() ? likeliest : draw(logits[likeliest]);
    }

    private int likeliest() {
        int best = -1;
        float bestLogit = Float.NEGATIVE_INFINITY;
        for (int token = 0; token < logits.length; token++) {
            if (logits[token] > bestLogit) {
                bestLogit = logits[token];
                best = token;
            }
        }
        if (best < 0 || bestLogit == Float.POSITIVE_INFINITY) {
            throw LayercakeException.badModel(
                    "The model's output is not a number; its weights are damaged or overflow in the type they were quantised to.");
        }
        return best;
    }

    private int draw(float highest) {
        // From here on logits hold weights: probabilities up to a factor, 1 for the likeliest.
        float scale = 1 / options.temperature();
        double mass = 0;
        for (int token = 0; token < logits.length; token++) {
            float weight = (float) Math.exp((logits[token] - highest) * scale);
            logits[token] = weight >= 0 ? weight : 0;
            mass += logits[token];
        }
        if (options.topK() == 0 && options.topP() == 1) {
            return drawUnsorted(mass);
        }
        return drawSorted(mass);
    }

    private int drawUnsorted(double mass) {
        double kept = mass;
        float threshold = options.minP();
        if (threshold > 0) {
            kept = 0;
            for (float weight : logits) {
                kept += weight >= threshold ? weight : 0;
            }
        }
        double left = random.nextDouble() * kept;
        int last = 0;
        for (int token = 0; token < logits.length; token++) {
            float weight = logits[token];
            if (weight > 0 && weight >= threshold) {
                last = token;
                left -= weight;
                if (left < 0) {
                    return token;
                }
            }
        }
        return last;
    }

    /** Takes tokens off a heap, likeliest first, only as far as the filters let them through. */
    private int drawSorted(double allMass) {
        for (int token = 0; token < heap.length; token++) {
            heap[token] = token;
        }
        for (int index = heap.length / 2 - 1; index >= 0; index--) {
            siftDown(index, heap.length);
        }
        int limit = options.topK() == 0 ? heap.length : Math.min(options.topK(), heap.length);
        double mass = allMass;
        int size = heap.length;
        if (limit < heap.length) {
            mass = 0;
            for (int count = 0; count < limit; count++) {
                mass += logits[take(--size)];
            }
        }
        double enough = mass * options.topP();
        double kept = 0;
        int count = 0;
        while (count < limit) {
            if (limit == heap.length) {
                take(--size);
            }
            float weight = logits[taken(count)];
            if (weight < options.minP() || weight == 0) {
                break;
            }
            kept += weight;
            count++;
            if (kept >= enough) {
                break;
            }
        }
        double left = random.nextDouble() * kept;
        for (int index = 0; index < count; index++) {
            left -= logits[taken(index)];
            if (left < 0) {
                return taken(index);
            }
        }
        return taken(count - 1);
    }

    private int taken(int index) {
        return heap[heap.length - 1 - index];
    }

    /** Moves the likeliest token of a heap of {@code size + 1} to index {@code size}. */
    private int take(int size) {
        int token = heap[0];
        heap[0] = heap[size];
        heap[size] = token;
        siftDown(0, size);
        return token;
    }

    private void siftDown(int start, int size) {
        int token = heap[start];
        int index = start;
        while (true) {
            int child = 2 * index + 1;
            if (child >= size) {
                break;
            }
            if (child + 1 < size && before(heap[child + 1], heap[child])) {
                child++;
            }
            if (!before(heap[child], token)) {
                break;
            }
            heap[index] = heap[child];
            index = child;
        }
        heap[index] = token;
    }

    private boolean before(int left, int right) {
        return logits[left] > logits[right] || (logits[left] == logits[right] && left < right);
    }

    /** The last tokens of a text, oldest overwritten first. */
    private static final class RecentTokens {
        private final int[] ring;
        private final int[] lastPass;
        private int noted;
        private int pass;

        RecentTokens(int window, int vocabularySize) {
            this.ring = new int[window];
            this.lastPass = new int[vocabularySize];
        }

        void note(int token) {
            if (ring.length > 0) {
                ring[noted % ring.length] = token;
                noted = noted + 1 == 2 * ring.length ? ring.length : noted + 1;
            }
        }

        void penalize(float[] logits, float penalty) {
            pass++;
            for (int index = 0; index < Math.min(noted, ring.length); index++) {
                int token = ring[index];
                if (lastPass[token] != pass) {
                    lastPass[token] = pass;
                    logits[token] = logits[token] > 0 ? logits[token] / penalty : logits[token] * penalty;
                }
            }
        }
    }
}
