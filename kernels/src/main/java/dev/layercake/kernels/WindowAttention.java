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
    private static final int BLOCK = PanelSoftmax.BLOCK;
    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

    private final AttentionShape shape;
    private final KvRows[] rows;
    private final Tensor queries;
    private final int firstPosition;
    private final WindowStatistics statistics;
    private final Workers workers;
    private final int window;
    private final int panels;
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
        this.entropies = new double[shape.queryHeads()];
        this.varianceSums = new double[shape.queryHeads()];
    }

    void run() {
        workers.run((worker, count) -> {
            Piece piece = null;
            for (int head = nextHead.getAndIncrement(); head < shape.queryHeads(); head = nextHead.getAndIncrement()) {
                if (piece == null) {
                    piece = new Piece(workers.scratch(worker, PanelSoftmax.bytes(shape, panels))
                            .address());
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

    /** One worker's panels and block. */
    private final class Piece {
        private final PanelSoftmax softmax;

        Piece(long scratch) {
            softmax = new PanelSoftmax(shape, panels, scratch);
        }

        void judge(int head) {
            KvRows entries = rows[head / shape.group()];
            softmax.begin(queries, 0, window, head, firstPosition);
            for (KvRows run = entries; run != null; run = run.lower()) {
                softmax.addUp(run, 0, run.length());
            }
            softmax.normalize();
            QueryPanels panel = softmax.panel();
            int to = panel.visibleTo(panels - 1, entries, 0, entries.length());
            int from = panel.visibleFrom(0, entries, 0, to);
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
                softmax.probabilities(entries, slot, count);
                entropy += softmax.entropy(count);
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

        /** A slot's sum of probabilities over the window; lanes without a query hold 0. */
        private float sum(int key) {
            FloatVector sum = FloatVector.zero(FLOATS);
            for (int lane = 0; lane < window; lane += Lanes.COUNT) {
                sum = sum.add(FloatVector.fromMemorySegment(FLOATS, ALL, softmax.laneAddress(key, lane), LITTLE));
            }
            return total(sum);
        }

        /** A slot's sum of squared deviations over the window. */
        private float squares(int key, float average) {
            FloatVector squares = FloatVector.zero(FLOATS);
            int lane = 0;
            for (; lane + Lanes.COUNT <= window; lane += Lanes.COUNT) {
                FloatVector deviation = FloatVector.fromMemorySegment(
                                FLOATS, ALL, softmax.laneAddress(key, lane), LITTLE)
                        .sub(average);
                squares = deviation.fma(deviation, squares);
            }
            float sum = total(squares);
            for (; lane < window; lane++) {
                float deviation = Memory.float32(softmax.laneAddress(key, lane)) - average;
                sum += deviation * deviation;
            }
            return sum;
        }

        private float total(FloatVector lanes) {
            lanes.intoMemorySegment(ALL, softmax.room(), LITTLE);
            return Lanes.sum(softmax.room());
        }
    }
}
