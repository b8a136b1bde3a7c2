package dev.layercake.model;

import dev.layercake.kernels.LayercakeException;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Rotary position embedding of a kind of layer: its base and how its frequencies are scaled for contexts longer than
 * those trained on (RoFormer; linear, dynamic, llama3 and YaRN scaling as in the models' published configurations).
 *
 * @param theta base of the frequencies
 * @param rotatedElements elements of a head that are rotated, an even number not greater than the head dimension
 * @param scaling how frequencies change
 */
public record RopeConfig(double theta, int rotatedElements, Scaling scaling) {
    /** A rule that turns plain inverse frequencies into scaled ones. */
    public sealed interface Scaling {}

    /** Frequencies as they are. */
    public record None() implements Scaling {}

    /** Positions divided by a factor. */
    public record Linear(double factor) implements Scaling {}

    /**
     * Dynamic NTK scaling: the base grows with the part of a text that is beyond the context of training, so that texts within
     * it are read as they always were.
     *
     * @param factor how fast it grows
     * @param originalContext tokens of the longest text for which it stays
     */
    public record Dynamic(double factor, int originalContext) implements Scaling {}

    /** Llama 3.1: long waves divided by a factor, short ones kept, a smooth ramp between. */
    public record Llama3(double factor, double lowFrequencyFactor, double highFrequencyFactor, int originalContext)
            implements Scaling {}

    /** YaRN (2309.00071): interpolation by parts and a factor on cos and sin. */
    public record Yarn(
            double factor,
            int originalContext,
            double betaFast,
            double betaSlow,
            double attentionFactor,
            boolean wholeDimensions)
            implements Scaling {
        /** Section 3.4: the factor on cos and sin that a checkpoint leaves out. */
        public static double defaultAttentionFactor(double factor) {
            return factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1;
        }
    }

    /** LongRoPE: each frequency divided by its own factor, one set for short and one for long sequences. */
    public record LongRope(
            List<Float> shortFactors, List<Float> longFactors, int originalContext, double attentionFactor)
            implements Scaling {
        public LongRope {
            shortFactors = List.copyOf(shortFactors);
            longFactors = List.copyOf(longFactors);
        }

        /**
         * The factor on cos and sin that a checkpoint leaves out (section 3.3 of LongRoPE, 2402.13753, as Phi-3 has it).
         *
         * @param factor how many times longer texts may be than the original context
         */
        static double defaultAttentionFactor(double factor, int originalContext) {
            return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalContext));
        }
    }

    /** Each frequency divided by its own factor (GGUF's {@code rope_freqs} tensor). */
    public record Factors(List<Float> factors) implements Scaling {
        public Factors {
            factors = List.copyOf(factors);
        }
    }

    public RopeConfig {
        if (!(theta > 0) || Double.isInfinite(theta)) {
            throw LayercakeException.badModel("the rotary base is " + theta + "; it must be a positive number");
        }
        if (rotatedElements < 2 || rotatedElements % 2 != 0) {
            throw LayercakeException.badModel("the rotary embedding covers " + rotatedElements
                    + " elements of a head; it must be an even number");
        }
        int pairs = rotatedElements / 2;
        switch (scaling) {
            case LongRope longRope -> {
                requireFactors(longRope.shortFactors, pairs);
                requireFactors(longRope.longFactors, pairs);
                requirePositive(longRope.originalContext, longRope.attentionFactor);
            }
            case Factors factors -> requireFactors(factors.factors, pairs);
            case Linear linear -> requirePositive(linear.factor);
            case Dynamic dynamic -> {
                requirePositive(dynamic.factor, dynamic.originalContext);
                if (rotatedElements == 2) {
                    throw LayercakeException.badModel(
                            "the checkpoint has dynamic rotary scaling for heads of which a single "
                                    + "pair is rotated, for which it is not defined");
                }
            }
            case Llama3 llama3 ->
                requirePositive(
                        llama3.factor, llama3.lowFrequencyFactor, llama3.highFrequencyFactor, llama3.originalContext);
            case Yarn yarn ->
                requirePositive(yarn.factor, yarn.originalContext, yarn.betaFast, yarn.betaSlow, yarn.attentionFactor);
            case None none -> {}
        }
    }

    /** Rotated pairs of a head. */
    public int pairs() {
        return rotatedElements / 2;
    }

    /** The factor on cos and sin. */
    float attentionFactor() {
        return switch (scaling) {
            case Yarn yarn -> (float) yarn.attentionFactor;
            case LongRope longRope -> (float) longRope.attentionFactor;
            case None _, Linear _, Dynamic _, Llama3 _, Factors _ -> 1f;
        };
    }

    /**
     * Angle per position of each pair, float32 as the reference computes it.
     *
     * @param sequenceLength tokens that the sequence may have, or, where nobody said, has; LongRoPE and dynamic scaling look at it
     */
    float[] inverseFrequencies(int sequenceLength) {
        double base = scaling instanceof Dynamic dynamic ? grown(dynamic, sequenceLength) : theta;
        float[] plain = new float[pairs()];
        for (int pair = 0; pair < plain.length; pair++) {
            plain[pair] = (float) (1.0 / Math.pow(base, 2.0 * pair / rotatedElements));
        }
        return switch (scaling) {
            case None _, Dynamic _ -> plain;
            case Linear linear -> {
                for (int pair = 0; pair < plain.length; pair++) {
                    plain[pair] /= (float) linear.factor;
                }
                yield plain;
            }
            case Llama3 llama3 -> llama3(plain, llama3);
            case Yarn yarn -> yarn(plain, yarn);
            case LongRope longRope ->
                divided(
                        plain,
                        sequenceLength > longRope.originalContext ? longRope.longFactors : longRope.shortFactors);
            case Factors factors -> divided(plain, factors.factors);
        };
    }

    private double grown(Dynamic rule, int sequenceLength) {
        double times = (double) Math.max(sequenceLength, rule.originalContext) / rule.originalContext;
        return theta * Math.pow(rule.factor * times - (rule.factor - 1), rotatedElements / (rotatedElements - 2.0));
    }

    /** How much smaller each scaled frequency is than the plain one. */
    List<Float> frequencyDivisors() {
        float[] plain = new RopeConfig(theta, rotatedElements, new None()).inverseFrequencies(0);
        float[] scaled = inverseFrequencies(0);
        return IntStream.range(0, plain.length)
                .mapToObj(pair -> plain[pair] / scaled[pair])
                .toList();
    }

    private static float[] llama3(float[] plain, Llama3 rule) {
        double longestKept = rule.originalContext / rule.highFrequencyFactor;
        double shortestDivided = rule.originalContext / rule.lowFrequencyFactor;
        float[] scaled = new float[plain.length];
        for (int pair = 0; pair < plain.length; pair++) {
            double wavelength = 2 * Math.PI / plain[pair];
            if (wavelength < longestKept) {
                scaled[pair] = plain[pair];
            } else if (wavelength > shortestDivided) {
                scaled[pair] = (float) (plain[pair] / rule.factor);
            } else {
                double smooth = (rule.originalContext / wavelength - rule.lowFrequencyFactor)
                        / (rule.highFrequencyFactor - rule.lowFrequencyFactor);
                scaled[pair] = (float) ((1 - smooth) * plain[pair] / rule.factor + smooth * plain[pair]);
            }
        }
        return scaled;
    }

    private float[] yarn(float[] plain, Yarn rule) {
        double low = pairAtRotations(rule.betaFast, rule.originalContext);
        double high = pairAtRotations(rule.betaSlow, rule.originalContext);
        if (rule.wholeDimensions) {
            low = Math.floor(low);
            high = Math.ceil(high);
        }
        low = Math.max(low, 0);
        high = Math.min(high, rotatedElements - 1);
        if (low == high) {
            high += 0.001;
        }
        float[] scaled = new float[plain.length];
        for (int pair = 0; pair < plain.length; pair++) {
            double interpolated = Math.clamp((pair - low) / (high - low), 0.0, 1.0);
            scaled[pair] = (float) (plain[pair] / rule.factor * interpolated + plain[pair] * (1 - interpolated));
        }
        return scaled;
    }

    /** The pair, as a real number, that makes so many turns over the original context. */
    private double pairAtRotations(double rotations, int originalContext) {
        return rotatedElements * Math.log(originalContext / (rotations * 2 * Math.PI)) / (2 * Math.log(theta));
    }

    private static float[] divided(float[] plain, List<Float> factors) {
        float[] scaled = new float[plain.length];
        for (int pair = 0; pair < plain.length; pair++) {
            scaled[pair] = plain[pair] / factors.get(pair);
        }
        return scaled;
    }

    private static void requirePositive(double... values) {
        for (double value : values) {
            if (!(value > 0) || Double.isInfinite(value)) {
                throw LayercakeException.badModel("the rotary scaling of the checkpoint has a factor of " + value
                        + "; it must be a positive number");
            }
        }
    }

    private static void requireFactors(List<Float> factors, int pairs) {
        for (float factor : factors) {
            requirePositive(factor);
        }
        if (factors.size() != pairs) {
            throw LayercakeException.badModel(
                    "the checkpoint gives " + factors.size() + " rotary factors for " + pairs + " pairs");
        }
    }
}
