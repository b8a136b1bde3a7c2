package dev.layercake.engine;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * A short name for the content of a checkpoint: another one of the same name has another fingerprint. Small files count
 * whole, large ones by their size, beginning, middle and end.
 */
public final class ModelFingerprint {
    private static final int PART_BYTES = 8 << 20;

    private ModelFingerprint() {}

    /**
     * The fingerprint of a checkpoint.
     *
     * @param model a folder or a file
     * @return eight hexadecimal digits
     */
    public static String of(Path model) {
        CRC32C sum = new CRC32C();
        try {
            for (Path file : files(model)) {
                sum.update(String.valueOf(file.getFileName()).getBytes(StandardCharsets.UTF_8));
                try (FileChannel channel = FileChannel.open(file)) {
                    long size = channel.size();
                    sum.update(Long.toString(size).getBytes(StandardCharsets.UTF_8));
                    if (size <= 3L * PART_BYTES) {
                        add(sum, channel, 0, size);
                    } else {
                        add(sum, channel, 0, PART_BYTES);
                        add(sum, channel, size / 2, PART_BYTES);
                        add(sum, channel, size - PART_BYTES, PART_BYTES);
                    }
                }
            }
        } catch (IOException e) {
            throw LayercakeException.badModel("The model " + model + " cannot be read: " + e.getMessage() + ".", e);
        }
        return String.format(Locale.ROOT, "%08x", sum.getValue());
    }

    private static List<Path> files(Path model) throws IOException {
        if (!Files.isDirectory(model)) {
            return List.of(model);
        }
        try (Stream<Path> files = Files.list(model)) {
            return files.filter(Files::isRegularFile)
                    .filter(file -> file.toString().matches(".*\\.(json|safetensors|gguf)"))
                    .sorted()
                    .toList();
        }
    }

    private static void add(CRC32C sum, FileChannel channel, long first, long count) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate((int) count);
        while (bytes.hasRemaining() && channel.read(bytes, first + bytes.position()) >= 0) {
            // Read on until the part is full or the file ends.
        }
        sum.update(bytes.flip());
    }
}
