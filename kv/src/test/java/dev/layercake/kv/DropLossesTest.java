package dev.layercake.kv;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.ScalarKernels;
import dev.layercake.kernels.SimdKernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The formula against what really happens when an entry is left out. */
class DropLossesTest {
    private static final int ENTRIES = 23;
    private static final int HEAD_DIM = 8;

    @ParameterizedTest
    @CsvSource({"1, 0, 0", "5, 0, 0", "5, 11, 0", "3, 0, 2"})
    void isWhatTheOutputsMove(int queries, int slidingWindow, float softcap) {
        AttentionShape shape = new AttentionShape(4, 2, HEAD_DIM, 0.4f, softcap, slidingWindow);
        Random random = new Random(queries);
        try (Arena arena = Arena.ofConfined();
                Workers workers = new Workers(1)) {
            KvRows[] rows = {rows(arena), rows(arena)};
            float[] vector = new float[HEAD_DIM];
            for (KvRows head : rows) {
                for (int slot = 0; slot < ENTRIES; slot++) {
                    head.append(slot);
                    head.writeKey(slot, gaussian(random, vector));
                    head.writeValue(slot, gaussian(random, vector));
                }
            }
            Tensor window = Tensor.allocate(arena, DType.F32, queries, 4L * HEAD_DIM);
            for (int row = 0; row < queries; row++) {
                for (int column = 0; column < window.columns(); column++) {
                    window.set(row, column, (float) random.nextGaussian());
                }
            }
            int first = ENTRIES - queries;
            double[][] losses = new DropLosses(shape, rows, window, first, new SimdKernels(), workers).compute();
            for (int dropped = 0; dropped < first; dropped++) {
                KvRows[] others = {without(rows[0], dropped, arena), without(rows[1], dropped, arena)};
                double[] moved = moved(shape, attend(shape, rows, window, arena), attend(shape, others, window, arena));
                for (int head = 0; head < 4; head++) {
                    assertThat(losses[head][dropped]).isCloseTo(moved[head], within(1e-5 + 1e-4 * moved[head]));
                }
            }
        }
    }

    private static KvRows rows(Arena arena) {
        KvRows rows = new KvRows(DType.F32, DType.F32, HEAD_DIM, ENTRIES);
        rows.addPage(arena.allocate(ENTRIES * 2L * HEAD_DIM * Float.BYTES, 64).address());
        return rows;
    }

    private static float[] gaussian(Random random, float[] target) {
        for (int i = 0; i < target.length; i++) {
            target[i] = (float) random.nextGaussian();
        }
        return target;
    }

    private static KvRows without(KvRows rows, int dropped, Arena arena) {
        KvRows others = rows(arena);
        float[] vector = new float[HEAD_DIM];
        for (int slot = 0; slot < ENTRIES; slot++) {
            if (slot != dropped) {
                int to = others.length();
                others.append(rows.position(slot));
                rows.readKey(slot, vector);
                others.writeKey(to, vector);
                rows.readValue(slot, vector);
                others.writeValue(to, vector);
            }
        }
        return others;
    }

    private static Tensor attend(AttentionShape shape, KvRows[] rows, Tensor queries, Arena arena) {
        Tensor out = Tensor.allocate(arena, DType.F32, queries.rows(), queries.columns());
        try (Workers workers = new Workers(1)) {
            new ScalarKernels().attend(shape, rows, queries, ENTRIES - (int) queries.rows(), out, workers);
        }
        return out;
    }

    /** Per query head the sum over the queries of the squared distance. */
    private static double[] moved(AttentionShape shape, Tensor before, Tensor after) {
        double[] moved = new double[shape.queryHeads()];
        for (int row = 0; row < before.rows(); row++) {
            for (int column = 0; column < before.columns(); column++) {
                double difference = before.get(row, column) - after.get(row, column);
                moved[column / HEAD_DIM] += difference * difference;
            }
        }
        return moved;
    }
}
