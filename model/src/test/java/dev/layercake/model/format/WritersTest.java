package dev.layercake.model.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.LayercakeException.Category;
import dev.layercake.kernels.ScalarKernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WritersTest {
    @TempDir
    Path folder;

    private final Kernels kernels = new ScalarKernels();

    /** Long enough that the conversion goes through several pieces. */
    private static final int ROWS = 1500;

    private static final int COLUMNS = 1024;

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16", "Q8_0", "Q4_0"})
    void convertsWhileWriting(DType dtype) {
        Path path = folder.resolve("a.gguf");
        float[] values = new float[ROWS * COLUMNS];
        Random random = new Random(7);
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        try (Workers workers = new Workers(1);
                Arena arena = Arena.ofConfined()) {
            new GgufWriter()
                    .add(
                            "a",
                            dtype,
                            TensorContent.converted(dtype, ROWS, COLUMNS, values, kernels, workers),
                            ROWS,
                            COLUMNS)
                    .write(path);
            Tensor expected = Tensor.allocate(arena, dtype, ROWS, COLUMNS);
            kernels.quantize(Tensor.of(arena, ROWS, COLUMNS, values), expected, workers);
            try (GgufFile file = GgufFile.open(path)) {
                assertThat(file.tensor("a").data().mismatch(expected.data())).isEqualTo(-1);
            }
        }
    }

    @Test
    void writesTensorsAsTheyAre() {
        Path path = folder.resolve("a.safetensors");
        try (Arena arena = Arena.ofConfined()) {
            new SafetensorsWriter().add("a", Tensor.of(arena, 2, 2, 1, 2, 3, 4)).write(path);
            new GgufWriter().add("a", Tensor.of(arena, 2, 2, 5, 6, 7, 8)).write(folder.resolve("a.gguf"));
        }
        try (SafetensorsFile file = SafetensorsFile.open(path);
                GgufFile gguf = GgufFile.open(folder.resolve("a.gguf"))) {
            assertThat(file.tensor("a").toArray()).containsExactly(1, 2, 3, 4);
            assertThat(gguf.tensor("a").toArray()).containsExactly(5, 6, 7, 8);
        }
    }

    @Test
    void replacesAnOlderFileThatIsStillMapped() {
        Path path = folder.resolve("a.gguf");
        new GgufWriter().add("a", DType.F32, TensorContent.ofFloats(1), 1).write(path);
        try (GgufFile old = GgufFile.open(path)) {
            new GgufWriter().add("a", DType.F32, TensorContent.ofFloats(2), 1).write(path);
            assertThat(old.tensor("a").toArray()).containsExactly(1);
            try (GgufFile replaced = GgufFile.open(path)) {
                assertThat(replaced.tensor("a").toArray()).containsExactly(2);
            }
        }
    }

    @Test
    void aFailureLeavesTheOldFileAndNothingElse() throws IOException {
        Path path = Files.writeString(folder.resolve("a.gguf"), "old");
        TensorContent diskFull = out -> {
            out.accept(MemorySegment.ofArray(new byte[1000]));
            throw new UncheckedIOException(new IOException("No space left on device"));
        };
        List<Function<TensorContent, Runnable>> writers = List.of(
                content -> () ->
                        new GgufWriter().add("a", DType.F32, content, 1000).write(path),
                content -> () -> new SafetensorsWriter()
                        .add("a", DType.F32, content, 1000)
                        .write(path));
        for (Function<TensorContent, Runnable> writer : writers) {
            assertThatThrownBy(() -> writer.apply(diskFull).run())
                    .isInstanceOfSatisfying(
                            LayercakeException.class,
                            e -> assertThat(e.category()).isEqualTo(Category.BAD_INPUT))
                    .hasMessageContaining(path + " cannot be written (No space left on device)");
            assertThatThrownBy(() -> writer.apply(TensorContent.ofFloats(1)).run())
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("4 bytes for the 4000 of tensor a");
            assertThatThrownBy(() -> writer.apply(TensorContent.ofFloats(new float[1001]))
                            .run())
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("more than the 4000 bytes");
        }
        assertThat(path).hasContent("old");
        assertThat(filesIn(folder)).containsExactly(path);
    }

    @Test
    void saysWhyAFileCannotBeWritten() {
        Path nowhere = folder.resolve("no").resolve("a.gguf");
        assertThatThrownBy(() -> new GgufWriter().write(nowhere))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("its folder does not exist");
        assertThatThrownBy(() -> new GgufWriter().write(folder))
                .isInstanceOf(LayercakeException.class)
                .hasMessageContaining("is a folder");
    }

    @Test
    void refusesWhatTheFormatsCannotHold() {
        TensorContent none = TensorContent.ofFloats();
        assertThatThrownBy(() -> new GgufWriter().add("a", DType.Q8_0, none, 33))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new GgufWriter().add("a", DType.F32, none, 1, 1, 1, 1, 1))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new GgufWriter().add("a", DType.F32, none, 1).add("a", DType.F32, none, 1))
                .hasMessageContaining("taken");
        assertThatThrownBy(() -> new SafetensorsWriter().add("a", DType.Q8_0, none, 32))
                .hasMessageContaining("no type Q8_0");
        assertThatThrownBy(() -> new SafetensorsWriter().add("__metadata__", DType.F32, none, 1))
                .hasMessageContaining("taken");
        assertThatThrownBy(() -> GgufValue.integer(GgufType.UINT8, 256)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> GgufValue.integer(GgufType.FLOAT32, 1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void theSafetensorsHeaderIsPaddedAndInTheFormatsOrder() throws IOException {
        Path path = folder.resolve("a.safetensors");
        new SafetensorsWriter()
                .add("half", "F16", TensorContent.of(MemorySegment.ofArray(new byte[] {1, 2})), 1)
                .add("whole", DType.F32, TensorContent.ofFloats(0), 1)
                .write(path);
        byte[] bytes = Files.readAllBytes(path);
        String header = new String(bytes, 8, bytes.length - 8 - 6, StandardCharsets.UTF_8);
        assertThat(bytes[0] % 8).isZero();
        assertThat(header.strip())
                .isEqualTo("{\"whole\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                        + "\"half\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[4,6]}}");
    }

    private static List<Path> filesIn(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.toList();
        }
    }
}
