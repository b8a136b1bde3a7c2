package dev.layercake.kernels;

import static dev.layercake.kernels.Memory.ALL;
import static dev.layercake.kernels.VectorWidth.FLOATS;

import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import jdk.incubator.vector.FloatVector;

/**
 * Statistics of the window's attention, one call's worth; see {@link WindowStatistics}. A piece of work is one query head
 * with all queries of the window. It goes over the slots twice, in blocks: for each query's maximum and sum, and then for
 * the probabilities of the candidates, which are never kept. Mean and variance of a slot are taken over its finished
 * probabilities (deviations from the mean, not a difference of large sums); entropy is added up in double precision.
 */
final class WindowAttention {
    private static final int BLOCK = 128;
    private static final int ROW_GAP = 16;
    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

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
    private final AtomicInteger nextHead = new AtomicInteger();

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
            for (int head = nextHead.getAndIncrement(); head < shape.queryHeads(); head = nextHead.getAndIncrement()) {
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
                + 2 * Lanes.BYTES
                + panels * panelScores
                + BLOCK * keyStride;
    }

    /** One worker's panels and block. */
    private final class Piece {
        private final QueryPanels panel;
        private final long largest;
        private final long weightSums;
        private final long next;
        private final long factors;
        private final long scores;
        private final long keys;

        Piece(long scratch) {
            panel = new QueryPanels(shape, panels, scratch);
            largest = scratch + QueryPanels.bytes(shape, panels);
            weightSums = largest + panels * PanelProduct.ROW_BYTES;
            next = weightSums + panels * PanelProduct.ROW_BYTES;
            factors = next + Lanes.BYTES;
            scores = factors + Lanes.BYTES;
            keys = scores + panels * panelScores;
        }

        void judge(int head) {
            KvRows entries = rows[head / shape.group()];
            panel.fill(queries, 0, window, head, 1, firstPosition);
            int to = panel.visibleTo(panels - 1, entries, 0, entries.length());
            int from = panel.visibleFrom(0, entries, 0, to);
            normalize(entries);
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
            RowDecoder.decodeKeys(entries, slot, count, keys, keyStride, shape.headDim());
            for (int i = 0; i < panels; i++) {
                panel.score(i, entries, slot, count, keys, keyStride, scores + i * panelScores);
            }
        }

        /** Finds each query's maximum, and the inverse of its sum of weights; 0 for a lane without a query. */
        private void normalize(KvRows entries) {
            Columns.fill(largest, panels * PanelProduct.ROW_BYTES, Columns.LOWEST);
            Columns.fill(weightSums, panels * PanelProduct.ROW_BYTES, 0f);
            for (KvRows run = entries; run != null; run = run.lower()) {
                int to = panel.visibleTo(panels - 1, run, 0, run.length());
                addUp(run, panel.visibleFrom(0, run, 0, to), to);
            }
            for (int lane = 0; lane < panels * PanelProduct.LANES; lane++) {
                long address = weightSums + (long) lane * Float.BYTES;
                float sum = Memory.float32(address);
                Memory.putFloat32(address, lane < window && sum > 0 ? 1 / sum : 0);
            }
        }

        /** Adds the slots of one run to the running maxima and sums. */
        private void addUp(KvRows entries, int from, int to) {
            for (int slot = from; slot < to; slot += BLOCK) {
                int count = Math.min(BLOCK, to - slot);
                score(entries, slot, count);
                for (int i = 0; i < panels; i++) {
                    for (long half = 0; half < PanelProduct.ROW_BYTES; half += Lanes.BYTES) {
                        long state = i * PanelProduct.ROW_BYTES + half;
                        long column = scores + i * panelScores + half;
                        Columns.maximum(column, PanelProduct.ROW_BYTES, count, largest + state, next);
                        Columns.rescale(largest + state, next, weightSums + state, factors);
                        Columns.exponentiate(column, PanelProduct.ROW_BYTES, count, next);
                        Columns.addUp(column, PanelProduct.ROW_BYTES, count, weightSums + state);
                    }
                }
            }
        }

        /** Turns a panel's scores into probabilities and returns their entropy. */
        private double panelEntropy(int i, int count) {
            double entropy = 0;
            for (long half = 0; half < PanelProduct.ROW_BYTES; half += Lanes.BYTES) {
                long state = i * PanelProduct.ROW_BYTES + half;
                long column = scores + i * panelScores + half;
                Columns.exponentiate(column, PanelProduct.ROW_BYTES, count, largest + state);
                Columns.multiply(column, PanelProduct.ROW_BYTES, count, weightSums + state);
                entropy += Columns.entropy(column, PanelProduct.ROW_BYTES, count, factors);
            }
            return entropy;
        }

        /** A slot's sum of probabilities over the window; lanes without a query hold 0. */
        private float sum(int key) {
            FloatVector sum = FloatVector.zero(FLOATS);
            for (int lane = 0; lane < window; lane += Lanes.COUNT) {
                sum = sum.add(FloatVector.fromMemorySegment(FLOATS, ALL, laneAddress(key, lane), LITTLE));
            }
            return total(sum);
        }

        /** A slot's sum of squared deviations over the window. */
        private float squares(int key, float average) {
            FloatVector squares = FloatVector.zero(FLOATS);
            int lane = 0;
            for (; lane + Lanes.COUNT <= window; lane += Lanes.COUNT) {
                FloatVector deviation = FloatVector.fromMemorySegment(FLOATS, ALL, laneAddress(key, lane), LITTLE)
                        .sub(average);
                squares = deviation.fma(deviation, squares);
            }
            float sum = total(squares);
            for (; lane < window; lane++) {
                float deviation = Memory.float32(laneAddress(key, lane)) - average;
                sum += deviation * deviation;
            }
            return sum;
        }

        private float total(FloatVector lanes) {
            lanes.intoMemorySegment(ALL, factors, LITTLE);
            return Lanes.sum(factors);
        }

        private long laneAddress(int key, int lane) {
            return scores
                    + lane / PanelProduct.LANES * panelScores
                    + key * PanelProduct.ROW_BYTES
                    + (long) (lane % PanelProduct.LANES) * Float.BYTES;
        }
    }
}
