package dev.layercake.kv.policy;

/**
 * The rotary position embedding of one layer of a model: at position p the pair i of a key or query is turned by the angle
 * p x frequency i, and everything may be scaled by a factor (YaRN). Elements that belong to no pair stay as they are.
 *
 * <p>Immutable. Angles are computed in float64, so that differences of positions stay exact however long a text is.
 */
public final class Rotary {
    private final float[] frequencies;
    private final float factor;
    private final boolean interleaved;

    /**
     * @param frequencies angle per position of each pair
     * @param factor on cosine and sine; 1 for most models
     * @param interleaved whether pair i is (2i, 2i + 1), as in GGUF's Llama layout; otherwise it is (i, i + pairs)
     */
    public Rotary(float[] frequencies, float factor, boolean interleaved) {
        this.frequencies = frequencies.clone();
        this.factor = factor;
        this.interleaved = interleaved;
    }

    /** The turn by so many positions, for keys and queries that carry a rotation already: without the factor. */
    public Turn turn(long positions) {
        double[] cos = new double[frequencies.length];
        double[] sin = new double[frequencies.length];
        for (int pair = 0; pair < frequencies.length; pair++) {
            double angle = (double) positions * frequencies[pair];
            cos[pair] = Math.cos(angle);
            sin[pair] = Math.sin(angle);
        }
        return new Turn(this, cos, sin);
    }

    /** The mean of the rotations at {@code count} consecutive positions, factor included. It shortens vectors. */
    public Turn mean(long firstPosition, int count) {
        double[] cos = new double[frequencies.length];
        double[] sin = new double[frequencies.length];
        for (int pair = 0; pair < frequencies.length; pair++) {
            for (int i = 0; i < count; i++) {
                double angle = (double) (firstPosition + i) * frequencies[pair];
                cos[pair] += Math.cos(angle) * factor / count;
                sin[pair] += Math.sin(angle) * factor / count;
            }
        }
        return new Turn(this, cos, sin);
    }

    private int first(int pair) {
        return interleaved ? 2 * pair : pair;
    }

    private int second(int pair) {
        return interleaved ? 2 * pair + 1 : pair + frequencies.length;
    }

    /** A turn of all pairs, each by its own cosine and sine. */
    public static final class Turn {
        private final Rotary rotary;
        private final double[] cos;
        private final double[] sin;

        private Turn(Rotary rotary, double[] cos, double[] sin) {
            this.rotary = rotary;
            this.cos = cos;
            this.sin = sin;
        }

        /** Turns a vector. */
        public void apply(float[] vector) {
            for (int pair = 0; pair < cos.length; pair++) {
                int a = rotary.first(pair);
                int b = rotary.second(pair);
                double x = vector[a];
                double y = vector[b];
                vector[a] = (float) (x * cos[pair] - y * sin[pair]);
                vector[b] = (float) (y * cos[pair] + x * sin[pair]);
            }
        }

        /** Turns the vector whose elements lie at {@code first}, {@code first + stride}, ... */
        public void apply(double[] data, int first, int stride) {
            for (int pair = 0; pair < cos.length; pair++) {
                int a = first + rotary.first(pair) * stride;
                int b = first + rotary.second(pair) * stride;
                double x = data[a];
                double y = data[b];
                data[a] = x * cos[pair] - y * sin[pair];
                data[b] = y * cos[pair] + x * sin[pair];
            }
        }
    }
}
