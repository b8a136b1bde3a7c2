package dev.layercake.model.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.layercake.kernels.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files beyond 4 GiB, nearly all of them a hole that takes no room on the disk. */
class LargeFileTest {
    private static final long COLUMNS = 1 << 16;
    private static final long ROWS = (5L << 30) / (COLUMNS * Float.BYTES);
    private static final long MATRIX_BYTES = ROWS * COLUMNS * Float.BYTES;

    @TempDir
    Path folder;

    @Test
    void safetensors() throws IOException {
        String header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[0,%d]},"
                        .formatted(ROWS, COLUMNS, MATRIX_BYTES)
                + "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[%d,%d]}}"
                        .formatted(MATRIX_BYTES, MATRIX_BYTES + 4);
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer beginning = ByteBuffer.allocate(8 + json.length).order(ByteOrder.LITTLE_ENDIAN);
        beginning.putLong(json.length).put(json).flip();
        Path path = sparse("a.safetensors", beginning);
        try (SafetensorsFile file = SafetensorsFile.open(path)) {
            assertFarEnds(file);
        }
    }

    @Test
    void gguf() throws IOException {
        Path header = new RawGguf(3, 2, 0)
                .tensor("a", 0, 0, COLUMNS, ROWS)
                .tensor("b", 0, MATRIX_BYTES, 1)
                .alignTo(32)
                .write(folder.resolve("header"));
        Path path = sparse("a.gguf", ByteBuffer.wrap(Files.readAllBytes(header)));
        try (GgufFile file = GgufFile.open(path)) {
            assertFarEnds(file);
        }
    }

    /** The last number of the matrix is 1, the one number of the vector behind it is 2. */
    private Path sparse(String name, ByteBuffer beginning) throws IOException {
        Path path = folder.resolve(name);
        assumeTrue(Files.getFileStore(folder).getUsableSpace() > 1 << 20, "no room for even a small file in " + folder);
        try (FileChannel channel = FileChannel.open(
                path, StandardOpenOption.CREATE_NEW, StandardOpenOption.SPARSE, StandardOpenOption.WRITE)) {
            long dataOffset = beginning.remaining();
            channel.write(beginning, 0);
            ByteBuffer numbers = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
            numbers.putFloat(1).putFloat(2).flip();
            channel.write(numbers, dataOffset + MATRIX_BYTES - Float.BYTES);
        }
        return path;
    }

    private static void assertFarEnds(TensorSource source) {
        assertThat(source.fileBytes()).isGreaterThan(5L << 30);
        Tensor matrix = source.tensor("a");
        assertThat(matrix.bytes()).isEqualTo(MATRIX_BYTES);
        assertThat(matrix.get(0, 0)).isZero();
        assertThat(matrix.get(ROWS - 1, COLUMNS - 1)).isEqualTo(1);
        assertThat(source.tensor("b").get(0, 0)).isEqualTo(2);
    }
}
