package dev.layercake.engine;

import dev.layercake.kernels.LayercakeException;
import java.util.Arrays;
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

    /** Logits above this one, scaled, may have the same weight as it: far more than weights are rounded by. */
    private static final double SAME_WEIGHT = 1e-4;
    /** Scaled logits below the likeliest one's by more than this have weights that are rounded coarsely, or are 0. */
    private static final double LEAST_EXPONENT = -86;
    /** The least weight of the first candidates for top-p; each further round of them takes so small a part of the last one's. */
    private static final float CANDIDATE = 1 / 1024f;
    /** More than sums of the same weights in another order differ by. */
    private static final double ROUNDING = 1e-9;

    /** A heap of candidates, likeliest at index 0; beyond its end the tokens taken out, in reverse order. */
    private final int[] heap;

    /** How many candidates there were. */
    private int candidates;

    /** The k largest logits so far, the smallest of them at index 0. */
    private final float[] largest;

    private final RecentTokens recent;

    Sampler(GenerationOptions options, int vocabularySize) {
        this.options = options;
        this.random = new SplittableRandom(options.seed());
        this.logits = new float[vocabularySize];
        this.heap = options.greedy() ? new int[0] : new int[vocabularySize];
        this.largest = new float[limitsNumber() && !options.greedy() ? options.topK() : 0];
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

    /** Whether top-k leaves anything out. */
    private boolean limitsNumber() {
        return options.topK() > 0 && options.topK() < logits.length;
    }

    private int draw(float highest) {
        if (limitsNumber()) {
            chooseLargest(highest);
            for (int index = 0; index < candidates; index++) {
                weigh(heap[index], highest);
            }
            return drawSorted(0);
        }
        double mass = 0;
        for (int token = 0; token < logits.length; token++) {
            mass += weigh(token, highest);
        }
        if (options.topP() == 1 && options.topK() == 0) {
            return drawUnsorted(mass);
        }
        chooseHeaviest(mass * options.topP());
        return drawSorted(mass);
    }

    /** Puts a token's weight in place of its logit: its probability up to a factor, 1 for the likeliest. */
    private float weigh(int token, float highest) {
        float weight = (float) Math.exp((logits[token] - highest) * (1 / options.temperature()));
        logits[token] = weight >= 0 ? weight : 0;
        return logits[token];
    }

    /** Makes candidates of the tokens that may be among the k likeliest, without weighing the others. */
    private void chooseLargest(float highest) {
        Arrays.fill(largest, Float.NEGATIVE_INFINITY);
        for (float logit : logits) {
            if (logit > largest[0]) {
                replaceSmallest(logit);
            }
        }
        double scale = 1 / options.temperature();
        double least = ((double) largest[0] - highest) * scale < LEAST_EXPONENT
                ? Double.NEGATIVE_INFINITY
                : largest[0] - SAME_WEIGHT / scale;
        candidates = 0;
        for (int token = 0; token < logits.length; token++) {
            if (logits[token] >= least) {
                heap[candidates++] = token;
            }
        }
    }

    private void replaceSmallest(float logit) {
        int index = 0;
        for (int child = 1; child < largest.length; child = 2 * index + 1) {
            if (child + 1 < largest.length && largest[child + 1] < largest[child]) {
                child++;
            }
            if (largest[child] >= logit) {
                break;
            }
            largest[index] = largest[child];
            index = child;
        }
        largest[index] = logit;
    }

    /** Makes candidates of the heaviest tokens, enough of them to hold so much weight together. */
    private void chooseHeaviest(double enough) {
        double more = enough * (1 + ROUNDING);
        float least = options.topP() == 1 ? 0 : CANDIDATE;
        while (gather(least) <= more && least > 0) {
            least *= CANDIDATE;
        }
    }

    /** Makes candidates of the tokens that weigh so much at least; returns what they weigh together. */
    private double gather(float least) {
        double held = 0;
        candidates = 0;
        for (int token = 0; token < logits.length; token++) {
            if (logits[token] >= least) {
                heap[candidates++] = token;
                held += logits[token];
            }
        }
        return held;
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
        for (int index = candidates / 2 - 1; index >= 0; index--) {
            siftDown(index, candidates);
        }
        boolean limited = limitsNumber();
        int limit = limited ? Math.min(options.topK(), candidates) : candidates;
        int size = candidates;
        double mass = allMass;
        if (limited) {
            mass = 0;
            for (int count = 0; count < limit; count++) {
                mass += logits[take(--size)];
            }
        }
        double enough = mass * options.topP();
        double kept = 0;
        int count = 0;
        while (count < limit) {
            if (!limited) {
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
        return heap[candidates - 1 - index];
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
