package dev.layercake.model.format;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.UUID;

/**
 * A file being written. It appears under its name, replacing an older one, only when it is complete; before that it lies
 * beside it under another name, and when anything fails it is removed.
 */
final class NewFile {
    private static final long MOST_BYTES_AT_ONCE = 16 << 20;

    private final FileChannel channel;
    private long position;

    /** Writes what belongs into the file. */
    @FunctionalInterface
    interface Body {
        void write(NewFile file) throws IOException;
    }

    private NewFile(FileChannel channel) {
        this.channel = channel;
    }

    /** @throws LayercakeException (bad input) if the file cannot be written, for instance because the disk is full */
    static void write(Path path, Body body) {
        Path part = path.resolveSibling("." + path.getFileName() + "." + UUID.randomUUID() + ".part");
        boolean done = false;
        try {
            try (FileChannel channel =
                    FileChannel.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                body.write(new NewFile(channel));
                channel.force(true);
            }
            if (Files.isDirectory(path)) {
                throw LayercakeException.badInput(
                        path + " is a folder, so no file can be written there: give another name");
            }
            Files.move(part, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            done = true;
        } catch (IOException e) {
            throw unwritable(path, e);
        } catch (UncheckedIOException e) {
            throw unwritable(path, Objects.requireNonNull(e.getCause()));
        } finally {
            if (!done) {
                discard(part);
            }
        }
    }

    private static LayercakeException unwritable(Path path, IOException e) {
        String reason = switch (e) {
            case NoSuchFileException missing -> "its folder does not exist";
            case AccessDeniedException denied -> "its folder is not writable for you";
            default -> String.valueOf(e.getMessage());
        };
        return LayercakeException.badInput(
                path + " cannot be written (" + reason + "): choose another place or make room", e);
    }

    private static void discard(Path part) {
        try {
            Files.deleteIfExists(part);
        } catch (IOException e) {
            // What made us give up is reported; a leftover that cannot even be removed is the lesser problem.
        }
    }

    long position() {
        return position;
    }

    void append(ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            position += channel.write(bytes);
        }
    }

    void append(MemorySegment bytes) throws IOException {
        for (long from = 0; from < bytes.byteSize(); from += MOST_BYTES_AT_ONCE) {
            append(bytes.asSlice(from, Math.min(MOST_BYTES_AT_ONCE, bytes.byteSize() - from))
                    .asByteBuffer());
        }
    }

    /** Zeros up to the next multiple of {@code alignment}. */
    void pad(int alignment) throws IOException {
        append(ByteBuffer.allocate((int) ((alignment - position % alignment) % alignment)));
    }

    /** A tensor's bytes, which must be exactly as many as were announced. */
    void append(TensorInfo tensor, TensorContent content) throws IOException {
        long begin = position;
        content.writeTo(piece -> {
            if (piece.byteSize() > tensor.bytes() - (position - begin)) {
                throw new IllegalArgumentException(
                        "more than the " + tensor.bytes() + " bytes of tensor " + tensor.name());
            }
            try {
                append(piece);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        if (position - begin != tensor.bytes()) {
            throw new IllegalArgumentException(
                    (position - begin) + " bytes for the " + tensor.bytes() + " of tensor " + tensor.name());
        }
    }
}
