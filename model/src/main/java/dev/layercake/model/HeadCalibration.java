package dev.layercake.model;

import dev.layercake.kernels.Tensor;
import dev.layercake.kv.policy.HeadProfile.Measure;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Measures the KV heads of a model on one text, as {@link Forward#observe} shows it. The measures' sources are BaKlaVa
 * (arXiv 2502.13176), which compares what goes into a head with what comes out of it, and DuoAttention as kvpress computes
 * it on the fly (NVIDIA/kvpress 8bb29b9). For a layer as a whole the attention block's input is compared with its output
 * (as SqueezeAttention does, arXiv 2404.04793).
 *
 * <p>Our reading of BaKlaVa: a head's input is the token's own value, its output what a query head reads before the output
 * projection; the first token, which can only read itself, does not count; a KV head has the mean of its group.
 */
public abstract sealed class HeadCalibration implements Forward.Observer {
    final ModelConfig config;
    final int tokens;
    private final double[] blocks;

    private HeadCalibration(ModelConfig config, int tokens) {
        this.config = config;
        this.tokens = tokens;
        this.blocks = new double[config.layerCount()];
    }

    /**
     * A calibration that has seen nothing yet.
     *
     * @param tokens of the text, at least 2
     * @param contextTokens that texts may have where the profile will be used
     */
    public static HeadCalibration of(Measure measure, ModelConfig config, int tokens, int contextTokens) {
        return switch (measure) {
            case VALUE -> new Value(config, tokens);
            case DUO -> new Retrieval(config, tokens, contextTokens);
        };
    }

    /** The measure of each head, [layers][kvHeads], once the text is read. */
    public abstract double[][] heads();

    /** 1 - the mean cosine between a layer's hidden states before and after its attention was added. */
    public double[] blocks() {
        double[] means = new double[blocks.length];
        for (int layer = 0; layer < means.length; layer++) {
            means[layer] = Math.max(0, blocks[layer] / tokens);
        }
        return means;
    }

    @Override
    public void hidden(int index, Tensor hidden) {
        // What passes between the layers tells nothing about heads.
    }

    @Override
    public void attended(int layer, int firstToken, Tensor values, Tensor attended, Tensor added, Tensor states) {
        float[] after = new float[config.hiddenSize()];
        float[] before = new float[config.hiddenSize()];
        for (int row = 0; row < states.rows(); row++) {
            read(states, row, after);
            read(added, row, before);
            for (int i = 0; i < before.length; i++) {
                before[i] = after[i] - before[i];
            }
            blocks[layer] += 1 - cosine(before, 0, after, 0, before.length);
        }
    }

    private static void read(Tensor tensor, int row, float[] target) {
        var data = tensor.slice(row, 1).data();
        MemorySegment.copy(data, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, target, 0, target.length);
    }

    /** 0 if one of the vectors is zero. */
    private static double cosine(float[] a, int firstA, float[] b, int firstB, int count) {
        double product = 0;
        double squareA = 0;
        double squareB = 0;
        for (int i = 0; i < count; i++) {
            double x = a[firstA + i];
            double y = b[firstB + i];
            product += x * y;
            squareA += x * x;
            squareB += y * y;
        }
        double norms = Math.sqrt(squareA * squareB);
        return norms > 0 ? Math.clamp(product / norms, -1, 1) : 0;
    }

    /** See {@link Measure#VALUE}. */
    private static final class Value extends HeadCalibration {
        private final double[][] sums;

        Value(ModelConfig config, int tokens) {
            super(config, tokens);
            this.sums = new double[config.layerCount()][config.kvHeads()];
        }

        @Override
        public void attended(int layer, int firstToken, Tensor values, Tensor attended, Tensor added, Tensor states) {
            super.attended(layer, firstToken, values, attended, added, states);
            int headDim = config.headDim();
            int group = config.queryHeads() / config.kvHeads();
            float[] value = new float[config.kvHeads() * headDim];
            float[] output = new float[config.queryHeads() * headDim];
            for (int row = firstToken == 0 ? 1 : 0; row < values.rows(); row++) {
                read(values, row, value);
                read(attended, row, output);
                for (int head = 0; head < config.queryHeads(); head++) {
                    int kvHead = head / group;
                    double cosine = cosine(value, kvHead * headDim, output, head * headDim, headDim);
                    sums[layer][kvHead] += (1 - cosine) / group;
                }
            }
        }

        @Override
        public double[][] heads() {
            double[][] means = new double[sums.length][config.kvHeads()];
            for (int layer = 0; layer < means.length; layer++) {
                for (int head = 0; head < means[layer].length; head++) {
                    means[layer][head] = Math.max(0, sums[layer][head] / Math.max(1, tokens - 1));
                }
            }
            return means;
        }
    }

    /** See {@link Measure#DUO}: the attention that a head's mean query, at the end, pays to its mean key everywhere. */
    private static final class Retrieval extends HeadCalibration {
        private final int contextTokens;
        private final double[][] querySums;
        private final double[][] keySums;

        Retrieval(ModelConfig config, int tokens, int contextTokens) {
            super(config, tokens);
            this.contextTokens = contextTokens;
            this.querySums = new double[config.layerCount()][config.queryHeads() * config.headDim()];
            this.keySums = new double[config.layerCount()][config.kvHeads() * config.headDim()];
        }

        @Override
        public void projected(int layer, int firstToken, Tensor queries, Tensor keys) {
            add(queries, querySums[layer]);
            add(keys, keySums[layer]);
        }

        private static void add(Tensor vectors, double[] sums) {
            float[] row = new float[sums.length];
            for (int token = 0; token < vectors.rows(); token++) {
                read(vectors, token, row);
                for (int i = 0; i < row.length; i++) {
                    sums[i] += row[i];
                }
            }
        }

        @Override
        public double[][] heads() {
            int group = config.queryHeads() / config.kvHeads();
            double[][] scores = new double[config.layerCount()][config.kvHeads()];
            for (int layer = 0; layer < scores.length; layer++) {
                for (int head = 0; head < config.queryHeads(); head++) {
                    scores[layer][head / group] += retrieval(layer, head, head / group) / group;
                }
            }
            return scores;
        }

        /** The mean, over all positions, of the attention paid up to there. */
        private double retrieval(int layer, int queryHead, int kvHead) {
            double scale = config.attentionShape(layer).scale();
            double[] logits = new double[tokens];
            double largest = Double.NEGATIVE_INFINITY;
            for (int position = 0; position < tokens; position++) {
                logits[position] = scale * product(layer, queryHead, kvHead, position - (tokens - 1));
                largest = Math.max(largest, logits[position]);
            }
            double sum = 0;
            double cumulative = 0;
            for (int position = 0; position < tokens; position++) {
                double weight = Math.exp(logits[position] - largest);
                sum += weight;
                cumulative += weight * (tokens - position);
            }
            return cumulative / sum / tokens;
        }

        /** Product of the mean query with the mean key, the key rotated by a distance relative to the query. */
        private double product(int layer, int queryHead, int kvHead, int distance) {
            RopeConfig rope = config.layers().get(layer).rope();
            float[] frequencies = rope.inverseFrequencies(contextTokens);
            int headDim = config.headDim();
            int query = queryHead * headDim;
            int key = kvHead * headDim;
            double[] q = querySums[layer];
            double[] k = keySums[layer];
            double factor = (double) rope.attentionFactor() * rope.attentionFactor();
            double product = 0;
            int pairs = frequencies.length;
            for (int pair = 0; pair < pairs; pair++) {
                int first = config.interleavedRope() ? 2 * pair : pair;
                int second = config.interleavedRope() ? first + 1 : pair + pairs;
                double angle = distance * (double) frequencies[pair];
                double same = q[query + first] * k[key + first] + q[query + second] * k[key + second];
                double crossed = q[query + second] * k[key + first] - q[query + first] * k[key + second];
                product += factor * (same * Math.cos(angle) + crossed * Math.sin(angle));
            }
            for (int i = 2 * pairs; i < headDim; i++) {
                product += q[query + i] * k[key + i];
            }
            return product / ((double) tokens * tokens);
        }
    }
}
