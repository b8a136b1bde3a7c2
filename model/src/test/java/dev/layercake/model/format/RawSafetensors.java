package dev.layercake.model.format;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Safetensors files put together by hand, so that they can also be wrong. */
final class RawSafetensors {
    private RawSafetensors() {}

    static Path write(Path file, String header, int dataBytes) throws IOException {
        return write(file, header.getBytes(StandardCharsets.UTF_8).length, header, dataBytes);
    }

    static Path write(Path file, long announced, String header, int dataBytes) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.writeBytes(ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(0, announced)
                .array());
        out.writeBytes(header.getBytes(StandardCharsets.UTF_8));
        for (int i = 0; i < dataBytes; i++) {
            out.write(i + 1);
        }
        return Files.write(file, out.toByteArray());
    }
}
