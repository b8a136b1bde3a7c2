package dev.layercake.model.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.LayercakeException.Category;
import dev.layercake.kernels.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class GgufFileTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @EnumSource(DType.class)
    void roundTripOfEveryType(DType dtype) {
        Path path = folder.resolve("a.gguf");
        int columns = 3 * dtype.blockElements();
        byte[] matrix = new byte[(int) (5 * dtype.rowBytes(columns))];
        byte[] vector = new byte[(int) dtype.rowBytes(columns)];
        byte[] experts = new byte[(int) (4 * 2 * dtype.rowBytes(columns))];
        Random random = new Random(dtype.blockBytes());
        random.nextBytes(matrix);
        random.nextBytes(vector);
        random.nextBytes(experts);
        new GgufWriter()
                .metadata("general.architecture", GgufValue.string("llama"))
                .add("vector", dtype, TensorContent.of(MemorySegment.ofArray(vector)), columns)
                .add("matrix", dtype, TensorContent.of(MemorySegment.ofArray(matrix)), 5, columns)
                .add("experts", dtype, TensorContent.of(MemorySegment.ofArray(experts)), 4, 2, columns)
                .write(path);
        try (GgufFile file = GgufFile.open(path)) {
            assertThat(file.version()).isEqualTo(3);
            assertThat(file.names()).containsExactly("vector", "matrix", "experts");
            assertThat(file.info("matrix").dtypeName()).isEqualTo(dtype.name());
            assertThat(file.info("matrix").shape()).containsExactly(5L, (long) columns);
            assertThat(file.info("experts").shape()).containsExactly(4L, 2L, (long) columns);

            Tensor read = file.tensor("matrix");
            assertThat(read.dtype()).isEqualTo(dtype);
            assertThat(read.rows()).isEqualTo(5);
            assertThat(read.columns()).isEqualTo(columns);
            assertThat(read.address() % 32).as("aligned").isZero();
            assertThat(read.data().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(matrix);
            assertThat(file.tensor("vector").rows()).isEqualTo(1);
            assertThat(file.tensor("vector").data().toArray(ValueLayout.JAVA_BYTE))
                    .isEqualTo(vector);

            Tensor third = file.tensor("experts", 2);
            assertThat(third.rows()).isEqualTo(2);
            long expertBytes = 2 * dtype.rowBytes(columns);
            assertThat(third.data().toArray(ValueLayout.JAVA_BYTE))
                    .isEqualTo(java.util.Arrays.copyOfRange(experts, (int) (2 * expertBytes), (int) (3 * expertBytes)));
        }
    }

    @Test
    void readsEveryKindOfMetadata() {
        Path path = folder.resolve("a.gguf");
        GgufValue nested = GgufValue.arrays(List.of(
                GgufValue.ints(1, 2), GgufValue.strings(List.of("x")), GgufValue.arrays(List.of(GgufValue.floats()))));
        GgufWriter writer = new GgufWriter()
                .metadata("string", GgufValue.string("Käse\0 🍰"))
                .metadata("yes", GgufValue.bool(true))
                .metadata("u8", GgufValue.integer(GgufType.UINT8, 200))
                .metadata("i8", GgufValue.integer(GgufType.INT8, -100))
                .metadata("u16", GgufValue.integer(GgufType.UINT16, 60_000))
                .metadata("i16", GgufValue.integer(GgufType.INT16, -30_000))
                .metadata("u32", GgufValue.uint32(4_000_000_000L))
                .metadata("i32", GgufValue.int32(-5))
                .metadata("u64", GgufValue.integer(GgufType.UINT64, 1L << 40))
                .metadata("i64", GgufValue.integer(GgufType.INT64, -1L << 40))
                .metadata("f32", GgufValue.float32(0.1f))
                .metadata("f64", GgufValue.float64(0.1))
                .metadata("strings", GgufValue.strings(List.of("a", "", "ü")))
                .metadata("floats", GgufValue.floats(1.5f, -2))
                .metadata("ints", GgufValue.ints(1, -2))
                .metadata("bools", GgufValue.bools(true, false))
                .metadata("u8s", GgufValue.array(GgufType.UINT8, new byte[] {-1, 1}))
                .metadata("i8s", GgufValue.array(GgufType.INT8, new byte[] {-1, 1}))
                .metadata("u16s", GgufValue.array(GgufType.UINT16, new short[] {-1, 1}))
                .metadata("i16s", GgufValue.array(GgufType.INT16, new short[] {-1, 1}))
                .metadata("u32s", GgufValue.array(GgufType.UINT32, new int[] {-1, 1}))
                .metadata("i64s", GgufValue.array(GgufType.INT64, new long[] {-1, 1}))
                .metadata("f64s", GgufValue.array(GgufType.FLOAT64, new double[] {0.5}))
                .metadata("nested", nested);
        writer.write(path);
        try (GgufFile file = GgufFile.open(path)) {
            GgufMetadata read = file.metadata();
            assertThat(read.keys()).hasSize(24).startsWith("string", "yes", "u8");
            assertThat(read.string("string")).isEqualTo("Käse\0 🍰");
            assertThat(read.string("absent", "other")).isEqualTo("other");
            assertThat(read.bool("yes")).isTrue();
            assertThat(read.bool("absent", false)).isFalse();
            assertThat(read.intValue("u8")).isEqualTo(200);
            assertThat(read.intValue("i8")).isEqualTo(-100);
            assertThat(read.intValue("u16")).isEqualTo(60_000);
            assertThat(read.intValue("i16")).isEqualTo(-30_000);
            assertThat(read.longValue("u32")).isEqualTo(4_000_000_000L);
            assertThat(read.intValue("i32", 9)).isEqualTo(-5);
            assertThat(read.intValue("absent", 9)).isEqualTo(9);
            assertThat(read.longValue("u64")).isEqualTo(1L << 40);
            assertThat(read.longValue("i64")).isEqualTo(-1L << 40);
            assertThat(read.floatValue("f32")).isEqualTo(0.1f);
            assertThat(read.floatValue("f64")).isEqualTo(0.1f);
            assertThat(read.strings("strings")).containsExactly("a", "", "ü");
            assertThat(read.floats("floats")).containsExactly(1.5f, -2);
            assertThat(read.floats("f64s")).containsExactly(0.5f);
            assertThat(read.ints("ints")).containsExactly(1, -2);
            assertThat(read.ints("u8s")).containsExactly(255, 1);
            assertThat(read.ints("i8s")).containsExactly(-1, 1);
            assertThat(read.ints("u16s")).containsExactly(65_535, 1);
            assertThat(read.ints("i16s")).containsExactly(-1, 1);
            assertThat(read.ints("i64s")).containsExactly(-1, 1);
            assertThat(read.bools("bools")).containsExactly(true, false);
            assertThat(read.find("nested")).contains(nested);
            assertThat(nested.toString()).isEqualTo("[[1, 2], [x], [[]]]");
            assertThat(read.isArray("ints")).isTrue();
            assertThat(read.isArray("i32")).isFalse();

            assertThatThrownBy(() -> read.ints("u32s"))
                    .hasMessageContaining("\"u32s\" holds 4294967295, which is out of");
            assertThatThrownBy(() -> read.intValue("u32")).hasMessageContaining("out of range");
            assertThatThrownBy(() -> read.intValue("f32"))
                    .hasMessageContaining("\"f32\" holds FLOAT32 where a whole number");
            assertThatThrownBy(() -> read.strings("ints"))
                    .hasMessageContaining("an array of INT32 where an array of st");
            assertThatThrownBy(() -> read.floats("ints")).hasMessageContaining("an array of fractions");
            assertThatThrownBy(() -> read.ints("i32")).hasMessageContaining("INT32 where an array of whole numbers");
            assertThatThrownBy(() -> read.ints("bools")).hasMessageContaining("an array of BOOL where");
            assertThatThrownBy(() -> read.bool("u8")).hasMessageContaining("UINT8 where true or false");
            assertThatThrownBy(() -> read.string("absent"))
                    .isInstanceOfSatisfying(
                            LayercakeException.class,
                            e -> assertThat(e.category()).isEqualTo(Category.BAD_MODEL))
                    .hasMessageContaining(path.toString())
                    .hasMessageContaining("lack the key \"absent\"");
        }
    }

    @Test
    void readsAnUnsignedNumberWithoutALong() throws IOException {
        Path path = new RawGguf(3, 0, 1)
                .string("big")
                .int32(GgufType.UINT64.number())
                .int64(-1)
                .write(folder.resolve("a.gguf"));
        try (GgufFile file = GgufFile.open(path)) {
            assertThat(file.metadata().find("big")).hasToString("Optional[18446744073709551615]");
            assertThatThrownBy(() -> file.metadata().longValue("big"))
                    .hasMessageContaining("holds 18446744073709551615");
        }
    }

    @Test
    void readsAVocabularyOfRealSize() {
        Path path = folder.resolve("a.gguf");
        List<String> tokens =
                IntStream.range(0, 150_000).mapToObj(i -> "token" + i).toList();
        float[] scores = new float[tokens.size()];
        scores[149_999] = 3;
        new GgufWriter()
                .metadata("tokenizer.ggml.tokens", GgufValue.strings(tokens))
                .metadata("tokenizer.ggml.scores", GgufValue.floats(scores))
                .write(path);
        try (GgufFile file = GgufFile.open(path)) {
            assertThat(file.metadata().strings("tokenizer.ggml.tokens")).isEqualTo(tokens);
            assertThat(file.metadata().floats("tokenizer.ggml.scores")).isEqualTo(scores);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 8, 32, 256, 4096})
    void honoursTheAlignment(int alignment) {
        Path path = folder.resolve("a.gguf");
        new GgufWriter()
                .metadata("general.alignment", GgufValue.uint32(alignment))
                .add("one", DType.F32, TensorContent.ofFloats(1, 2, 3), 3)
                .add("two", DType.F32, TensorContent.ofFloats(4), 1)
                .write(path);
        try (GgufFile file = GgufFile.open(path)) {
            assertThat(file.tensor("one").toArray()).containsExactly(1, 2, 3);
            assertThat(file.tensor("two").toArray()).containsExactly(4);
            assertThat(file.tensor("two").address() % alignment % 4096).isZero();
        }
        assertThatThrownBy(() -> new GgufWriter().metadata("general.alignment", GgufValue.uint32(24)))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void readsVersionTwo() throws IOException {
        Path path = new RawGguf(2, 1, 0)
                .tensor("a", 0, 0, 2)
                .alignTo(32)
                .int64(0x4000_0000_3f80_0000L)
                .write(folder.resolve("a.gguf"));
        try (GgufFile file = GgufFile.open(path)) {
            assertThat(file.version()).isEqualTo(2);
            assertThat(file.tensor("a").toArray()).containsExactly(1, 2);
        }
    }

    @Test
    void listsTensorsOfOtherTypesAndRefusesToComputeWithThem() throws IOException {
        Path path = new RawGguf(3, 3, 0)
                .tensor("iq3", 21, 0, 32)
                .tensor("future", 77, 32, 4, 4)
                .tensor("ints", 26, 64, 3)
                .alignTo(32)
                .zeros(76)
                .write(folder.resolve("a.gguf"));
        try (GgufFile file = GgufFile.open(path)) {
            assertThat(file.info("iq3").dtypeName()).isEqualTo("IQ3_S");
            assertThat(file.info("iq3").bytes()).isEqualTo(32);
            assertThat(file.info("future").dtypeName()).isEqualTo("number 77");
            assertThat(file.info("ints").bytes()).isEqualTo(12);
            assertThat(file.data("ints").byteSize()).isEqualTo(12);
            assertThatThrownBy(() -> file.tensor("iq3"))
                    .isInstanceOf(LayercakeException.class)
                    .hasMessageContaining("\"iq3\" has type IQ3_S, which Layercake does not compute with");
            assertThatThrownBy(() -> file.tensor("future")).hasMessageContaining("number 77");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "1 | version 1;",
                "4 | version 4;",
                "0 | version 0;",
                "-1 | version 4294967295;",
                "50331648 | big-endian byte order",
            })
    void refusesOtherVersions(int version, String message) throws IOException {
        assertRefused(new RawGguf(version, 0, 0), message);
    }

    @Test
    void refusesUnsoundFiles() throws IOException {
        assertRefused(new RawGguf(3, -1, 0), "the number of tensors at byte 8 is 18446744073709551615");
        assertRefused(new RawGguf(3, 1L << 40, 0), "more than the rest of the header can hold");
        assertRefused(new RawGguf(3, 0, 1L << 40), "the number of metadata entries at byte 16");
        assertRefused(new RawGguf(3, 0, 1).string("").zeros(16), "metadata key 0 has 0 bytes");
        assertRefused(new RawGguf(3, 0, 1).int64(Long.MAX_VALUE).zeros(8), "9223372036854775807");
        assertRefused(new RawGguf(3, 0, 1).string("k").int32(13).zeros(16), "has the type 13");
        assertRefused(new RawGguf(3, 0, 1).string("k").int32(7).bytes(2), "is 2 where only 0 and 1");
        assertRefused(new RawGguf(3, 0, 1).string("k").int32(9).int32(4).int64(1L << 61), "the length of");
        assertRefused(
                new RawGguf(3, 0, 1).string("k").int32(9).int32(8).int64(3).zeros(23), "more than the rest");
        assertRefused(
                new RawGguf(3, 0, 1).string("k").int32(GgufType.UINT64.number()).zeros(3), "needs 8 bytes at byte 37");
        assertRefused(
                new RawGguf(3, 0, 2)
                        .string("k")
                        .int32(0)
                        .bytes(1)
                        .string("k")
                        .int32(0)
                        .bytes(1),
                "twice");
        assertRefused(new RawGguf(3, 0, 1).int64(2).bytes(0xc3, 0x28).zeros(13), "not valid UTF-8");
        assertRefused(new RawGguf(3, 0, 1).string("general.alignment").int32(4).int32(24), "not a power of two");
        assertRefused(new RawGguf(3, 0, 1).string("general.alignment").int32(4).int32(0), "not a power of two");
        RawGguf deep = new RawGguf(3, 0, 1).string("k").int32(9);
        for (int i = 0; i < 2000; i++) {
            deep.int32(9).int64(1);
        }
        assertRefused(deep, "nested deeper than 8");

        assertRefused(new RawGguf(3, 1, 0).tensor("a", 0, 0, 1, 1, 1, 1, 1).zeros(64), "5 dimensions");
        assertRefused(new RawGguf(3, 1, 0).tensor("a", 0, 0, -1).zeros(64), "more than can be addressed");
        assertRefused(new RawGguf(3, 1, 0).tensor("a", 0, 0, 1L << 32, 1L << 32).zeros(64), "more than can be");
        assertRefused(new RawGguf(3, 1, 0).tensor("a", 0, 0, 1L << 32, 1L << 31).zeros(64), "more than can be");
        assertRefused(new RawGguf(3, 1, 0).tensor("a", 0, 0, 1L << 61, 2).zeros(64), "more than can be addressed");
        assertRefused(new RawGguf(3, 1, 0).tensor("a", 8, 0, 33).zeros(64), "no whole number of Q8_0 blocks");
        assertRefused(new RawGguf(3, 1, 0).tensor("a", 0, 0, 64).zeros(64), "has 256 bytes at offset 0");
        assertRefused(new RawGguf(3, 1, 0).tensor("a", 0, 8, 1).zeros(64), "no multiple of 32");
        assertRefused(new RawGguf(3, 1, 0).tensor("a", 0, -32, 1).zeros(64), "offset 18446744073709551584");
        assertRefused(new RawGguf(3, 1, 0).tensor("a", 0, 1 << 20, 1).zeros(64), "offset 1048576");
        assertRefused(
                new RawGguf(3, 2, 0).tensor("a", 0, 0, 16).tensor("b", 0, 32, 1).zeros(128), "\"a\" and \"b\" overlap");
        assertRefused(
                new RawGguf(3, 2, 0).tensor("a", 0, 0, 1).tensor("a", 0, 32, 1).zeros(128), "tensor \"a\" twice");
    }

    @Test
    void readsAFileWithoutTensorsThatEndsWithItsHeader() throws IOException {
        Path path = new RawGguf(3, 0, 0).write(folder.resolve("a.gguf"));
        try (GgufFile file = GgufFile.open(path)) {
            assertThat(file.names()).isEmpty();
            assertThat(file.metadata().keys()).isEmpty();
        }
    }

    @Test
    void refusesAFileOfAnotherKind() throws IOException {
        Path path = Files.write(
                folder.resolve("a.gguf"),
                ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN).putInt(7).array());
        assertThatThrownBy(() -> GgufFile.open(path))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("it does not begin with \"GGUF\"");
    }

    private void assertRefused(RawGguf raw, String message) throws IOException {
        Path path = raw.write(folder.resolve("bad.gguf"));
        assertThatThrownBy(() -> GgufFile.open(path).close())
                .isInstanceOfSatisfying(
                        LayercakeException.class, e -> assertThat(e.category()).isEqualTo(Category.BAD_MODEL))
                .hasMessageStartingWith(path.toString())
                .hasMessageContaining(message);
    }
}
