package dev.layercake.kernels;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * Statistics of the window's attention, one call's worth; see {@link WindowStatistics}. A piece of work is one query head
 * with all queries of the window. It goes over the slots twice, in blocks: for each query's maximum and sum, and then for
 * the probabilities of the candidates, which are never kept. Mean and variance of a slot are taken over its finished
 * probabilities (deviations from the mean, not a difference of large sums); entropy is added up in double precision.
 */
final class WindowAttention {
    private static final int BLOCK = 128;
    private static final int ROW_GAP = 16;
    private static final float LOWEST = -Float.MAX_VALUE / 4;
    private static final float ENTROPY_EPSILON = 1e-10f;

    private final AttentionShape shape;
    private final KvRows[] rows;
    private final Tensor queries;
    private final int firstPosition;
    private final WindowStatistics statistics;
    private final Workers workers;
    private final int window;
    private final int panels;
    private final long keyStride;
    private final long panelScores;
    private final double[] entropies;
    private final double[] varianceSums;
    private final AtomicInteger next = new AtomicInteger();

    WindowAttention(
            AttentionShape shape,
            KvRows[] rows,
            Tensor windowQueries,
            int firstPosition,
            WindowStatistics statistics,
            Workers workers) {
        this.shape = shape;
        this.rows = rows;
        this.queries = windowQueries;
        this.firstPosition = firstPosition;
        this.statistics = statistics;
        this.workers = workers;
        this.window = (int) windowQueries.rows();
        this.panels = (window + PanelProduct.LANES - 1) / PanelProduct.LANES;
        this.keyStride = (long) (shape.headDim() + ROW_GAP) * Float.BYTES;
        this.panelScores = BLOCK * PanelProduct.ROW_BYTES;
        this.entropies = new double[shape.queryHeads()];
        this.varianceSums = new double[shape.queryHeads()];
    }

    void run() {
        workers.run((worker, count) -> {
            Piece piece = null;
            for (int head = next.getAndIncrement(); head < shape.queryHeads(); head = next.getAndIncrement()) {
                if (piece == null) {
                    piece = new Piece(workers.scratch(worker, scratchBytes()).address());
                }
                piece.judge(head);
            }
        });
        double entropy = 0;
        double varianceSum = 0;
        for (int head = 0; head < shape.queryHeads(); head++) {
            entropy += entropies[head];
            varianceSum += varianceSums[head];
        }
        statistics.sums(entropy, varianceSum);
    }

    private long scratchBytes() {
        return QueryPanels.bytes(shape, panels)
                + 2L * panels * PanelProduct.ROW_BYTES
                + panels * panelScores
                + BLOCK * keyStride;
    }

    /** One worker's panels and block. */
    private final class Piece {
        private final QueryPanels panel;
        private final long largest;
        private final long weightSums;
        private final long scores;
        private final long keys;

        Piece(long scratch) {
            panel = new QueryPanels(shape, panels, scratch);
            largest = scratch + QueryPanels.bytes(shape, panels);
            weightSums = largest + panels * PanelProduct.ROW_BYTES;
            scores = weightSums + panels * PanelProduct.ROW_BYTES;
            keys = scores + panels * panelScores;
        }

        void judge(int head) {
            KvRows entries = rows[head / shape.group()];
            panel.fill(queries, 0, window, head, 1, firstPosition);
            int to = panel.visibleTo(panels - 1, entries, 0, entries.length());
            int from = panel.visibleFrom(0, entries, 0, to);
            normalize(entries, from, to);
            int candidates = statistics.candidates(head / shape.group());
            float[] mean = statistics.mean(head);
            float[] variance = statistics.variance(head);
            Arrays.fill(mean, 0f);
            Arrays.fill(variance, 0f);
            double entropy = 0;
            double varianceSum = 0;
            int end = Math.min(candidates, to);
            for (int slot = from; slot < end; slot += BLOCK) {
                int count = Math.min(BLOCK, end - slot);
                score(entries, slot, count);
                for (int i = 0; i < panels; i++) {
                    entropy += panelEntropy(i, count);
                }
                for (int key = 0; key < count; key++) {
                    float average = sum(key) / window;
                    mean[slot + key] = average;
                    if (window > 1) {
                        float spread = squares(key, average) / (window - 1);
                        variance[slot + key] = spread;
                        varianceSum += spread;
                    }
                }
            }
            entropies[head] = entropy;
            varianceSums[head] = varianceSum;
        }

        private void score(KvRows entries, int slot, int count) {
            RowDecoder.decodeKeys(entries, slot, count, keys, keyStride);
            for (int i = 0; i < panels; i++) {
                panel.score(i, entries, slot, count, keys, keyStride, scores + i * panelScores);
            }
        }

        /** Finds each query's maximum, and the inverse of its sum of weights; 0 for a lane without a query. */
        private void normalize(KvRows entries, int from, int to) {
            for (long i = 0; i < panels * PanelProduct.ROW_BYTES; i += Lanes.BYTES) {
                Lanes.store(VectorWidth.broadcast(LOWEST), largest + i);
                Lanes.store(VectorWidth.broadcast(0f), weightSums + i);
            }
            for (int slot = from; slot < to; slot += BLOCK) {
                int count = Math.min(BLOCK, to - slot);
                score(entries, slot, count);
                for (int i = 0; i < panels; i++) {
                    for (long half = 0; half < PanelProduct.ROW_BYTES; half += Lanes.BYTES) {
                        long state = i * PanelProduct.ROW_BYTES + half;
                        addWeights(scores + i * panelScores + half, count, largest + state, weightSums + state);
                    }
                }
            }
            for (int lane = 0; lane < panels * PanelProduct.LANES; lane++) {
                long address = weightSums + (long) lane * Float.BYTES;
                float sum = Memory.float32(address);
                Memory.putFloat32(address, lane < window && sum > 0 ? 1 / sum : 0);
            }
        }

        /** Turns a panel's scores into probabilities and returns their entropy. */
        private double panelEntropy(int i, int count) {
            double entropy = 0;
            for (long half = 0; half < PanelProduct.ROW_BYTES; half += Lanes.BYTES) {
                long state = i * PanelProduct.ROW_BYTES + half;
                entropy += columnEntropy(scores + i * panelScores + half, count, largest + state, weightSums + state);
            }
            return entropy;
        }

        /** A slot's sum of probabilities over the window. */
        private float sum(int key) {
            FloatVector sum = VectorWidth.broadcast(0f);
            for (int i = 0; i < panels; i++) {
                long row = scores + i * panelScores + key * PanelProduct.ROW_BYTES;
                sum = sum.add(Lanes.load(row).add(Lanes.load(row + Lanes.BYTES)));
            }
            return sum.reduceLanes(VectorOperators.ADD);
        }

        /** A slot's sum of squared deviations over the window. */
        private float squares(int key, float average) {
            FloatVector squares = VectorWidth.broadcast(0f);
            int lane = 0;
            long row = scores + key * PanelProduct.ROW_BYTES;
            for (; lane + Lanes.COUNT <= window; lane += Lanes.COUNT) {
                FloatVector deviation = Lanes.load(laneAddress(row, lane)).sub(average);
                squares = deviation.fma(deviation, squares);
            }
            if (lane < window) {
                VectorMask<Float> real = VectorWidth.FLOATS.indexInRange(lane, window);
                FloatVector deviation = VectorWidth.broadcast(0f)
                        .blend(Lanes.load(laneAddress(row, lane)).sub(average), real);
                squares = deviation.fma(deviation, squares);
            }
            return squares.reduceLanes(VectorOperators.ADD);
        }

        private long laneAddress(long row, int lane) {
            return row + lane / PanelProduct.LANES * panelScores + (long) (lane % PanelProduct.LANES) * Float.BYTES;
        }
    }

    /** Adds a column of scores to a running maximum and sum of weights. */
    private static void addWeights(long scores, int count, long largest, long weightSums) {
        FloatVector before = Lanes.load(largest);
        FloatVector most = before;
        for (int i = 0; i < count; i++) {
            most = most.max(Lanes.load(scores + i * PanelProduct.ROW_BYTES));
        }
        FloatVector sum = VectorWidth.broadcast(0f);
        for (int i = 0; i < count; i++) {
            sum = sum.add(VectorMath.exp(
                    Lanes.load(scores + i * PanelProduct.ROW_BYTES).sub(most)));
        }
        // One addition per block to the long sum, not one per slot: its rounding errors stay small.
        Lanes.store(Lanes.load(weightSums).fma(VectorMath.exp(before.sub(most)), sum), weightSums);
        Lanes.store(most, largest);
    }

    /** Turns a column of scores into probabilities and returns their entropy. */
    private static double columnEntropy(long scores, int count, long largest, long inverseSums) {
        FloatVector most = Lanes.load(largest);
        FloatVector inverse = Lanes.load(inverseSums);
        FloatVector entropy = VectorWidth.broadcast(0f);
        for (int i = 0; i < count; i++) {
            long address = scores + i * PanelProduct.ROW_BYTES;
            FloatVector probability =
                    VectorMath.exp(Lanes.load(address).sub(most)).mul(inverse);
            Lanes.store(probability, address);
            entropy = entropy.sub(probability.mul(VectorMath.log(probability.add(ENTROPY_EPSILON))));
        }
        return entropy.reduceLanes(VectorOperators.ADD);
    }
}
