package dev.layercake.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Attention over heads whose older keys lack channels is attention over keys with zeros there. */
class SomeChannelsTest {
    private final Arena arena = Arena.ofConfined();
    private final RandomEntries random = new RandomEntries(arena, 99);
    private final Random chance = new Random(99);

    @AfterEach
    void close() {
        arena.close();
    }

    @ParameterizedTest
    @CsvSource({
        "8, 2, 64, 32, BF16",
        "8, 2, 128, 64, BF16",
        "6, 2, 64, 20, BF16",
        "5, 1, 48, 16, F16",
        "4, 1, 64, 32, Q8_0",
        "4, 2, 96, 48, F32",
        "3, 3, 17, 5, F32",
        "2, 1, 8, 1, F32"
    })
    void missingChannelsCountAsZero(int queryHeads, int kvHeads, int headDim, int kept, DType type) {
        AttentionShape shape = new AttentionShape(queryHeads, kvHeads, headDim, (float) (1 / Math.sqrt(headDim)), 0, 0);
        KvRows[] rows = RandomEntries.rows(shape, type, type, 32);
        KvRows[] zeroed = RandomEntries.rows(shape, DType.F32, DType.F32, 64);
        Tensor room = Tensor.allocate(arena, DType.F32, 1, headDim);
        for (int head = 0; head < kvHeads; head++) {
            KvRows old = new KvRows(new SomeChannels(type, kept), type, headDim, 40);
            old.channels(channels(headDim, kept));
            KvRows source = new KvRows(type, type, headDim, 32);
            random.append(source, 150 - head, 0);
            for (int slot = 0; slot < source.length(); slot++) {
                random.copy(source, slot, old);
                random.copy(source, slot, zeroed[head]);
                float[] key = new float[headDim];
                zeroed[head].readKey(slot, key);
                int[] stored = old.channels();
                if (type.quantized()) {
                    // Other channels share a scale now, so they were rounded again.
                    old.decodeKey(slot, room.address());
                    key = room.toArray();
                }
                for (int channel = 0; channel < headDim; channel++) {
                    key[channel] = Arrays.binarySearch(stored, channel) >= 0 ? key[channel] : 0;
                }
                zeroed[head].writeKey(slot, key);
            }
            random.append(rows[head], 70 + head, source.length());
            for (int slot = 0; slot < rows[head].length(); slot++) {
                random.copy(rows[head], slot, zeroed[head]);
            }
            rows[head].lower(old);
        }
        Tensor query = random.queries(shape, 1);
        Tensor queries = random.queries(shape, 9);
        try (Workers workers = new Workers(2)) {
            for (Kernels kernels : List.of(new ScalarKernels(), new SimdKernels())) {
                Tensor expected = Tensor.allocate(arena, DType.F32, 1, query.columns());
                kernels.attendOne(shape, zeroed, query, 300, expected, null, workers);
                Tensor actual = Tensor.allocate(arena, DType.F32, 1, query.columns());
                kernels.attendOne(shape, rows, query, 300, actual, null, workers);
                assertThat(actual.toArray()).containsExactly(expected.toArray(), within(2e-5f));

                Tensor expectedAll = Tensor.allocate(arena, DType.F32, 9, query.columns());
                kernels.attend(shape, zeroed, queries, 210, expectedAll, workers);
                Tensor actualAll = Tensor.allocate(arena, DType.F32, 9, query.columns());
                kernels.attend(shape, rows, queries, 210, actualAll, workers);
                assertThat(actualAll.toArray()).containsExactly(expectedAll.toArray(), within(2e-5f));
            }
        }
    }

    private int[] channels(int headDim, int kept) {
        List<Integer> all = new ArrayList<>(IntStream.range(0, headDim).boxed().toList());
        Collections.shuffle(all, chance);
        return all.subList(0, kept).stream()
                .mapToInt(Integer::intValue)
                .sorted()
                .toArray();
    }

    @Test
    void refusesWhatCannotBeStored() {
        KvRows rows = new KvRows(new SomeChannels(DType.F32, 2), DType.F32, 8, 4);
        for (int[] wrong : new int[][] {{1}, {3, 2}, {2, 2}, {-1, 3}, {0, 8}}) {
            assertThatIllegalArgumentException().isThrownBy(() -> rows.channels(wrong));
        }
        assertThatIllegalArgumentException().isThrownBy(() -> new SomeChannels(DType.Q8_0, 20));
        assertThatIllegalArgumentException().isThrownBy(() -> new SomeChannels(DType.F32, 9).rowBytes(8));
        assertThat(new SomeChannels(DType.BF16, 24).rowBytes(64)).isEqualTo(48);
    }
}
