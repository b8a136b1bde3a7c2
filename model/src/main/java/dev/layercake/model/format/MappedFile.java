package dev.layercake.model.format;

import dev.layercake.kernels.LayercakeException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;

/**
 * One file, mapped read-only as a whole. Its size is taken once, when it is opened: a file that somebody cuts short while
 * it is mapped is outside of what any check here can catch.
 */
final class MappedFile implements AutoCloseable {
    /** How the small text file begins that Git LFS leaves where a big file has not been fetched. */
    static final String LFS_POINTER = "version https://git-lfs";

    private final Path path;
    private final Arena arena;
    private final MemorySegment bytes;

    private MappedFile(Path path, Arena arena, MemorySegment bytes) {
        this.path = path;
        this.arena = arena;
        this.bytes = bytes;
    }

    /** @throws LayercakeException (bad model) if the file is missing, a folder, empty or not readable */
    static MappedFile open(Path path) {
        requireRegularFile(path);
        Arena arena = Arena.ofShared();
        boolean mapped = false;
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            long size = channel.size();
            if (size == 0) {
                throw empty(path);
            }
            MappedFile file = new MappedFile(path, arena, channel.map(MapMode.READ_ONLY, 0, size, arena));
            if (file.startsWith(LFS_POINTER)) {
                throw lfsPointer(path);
            }
            mapped = true;
            return file;
        } catch (IOException e) {
            throw unreadable(path, e);
        } finally {
            if (!mapped) {
                arena.close();
            }
        }
    }

    /** Refuses what is no file; a device or a pipe would block for ever when opened. */
    static void requireRegularFile(Path path) {
        if (Files.isDirectory(path)) {
            throw LayercakeException.badModel(
                    path + " is a folder where a file is expected: give the path of the file");
        }
        if (Files.notExists(path)) {
            throw LayercakeException.badModel(path + " does not exist: check the path");
        }
        if (!Files.isRegularFile(path)) {
            throw LayercakeException.badModel(path + " is not an ordinary file: give the path of a model file");
        }
    }

    static LayercakeException empty(Path path) {
        return LayercakeException.badModel(path + " is empty: download it again");
    }

    static LayercakeException lfsPointer(Path path) {
        return LayercakeException.badModel(
                path + " is only Git LFS's note of where the file is: fetch the file itself with git lfs pull");
    }

    static LayercakeException unreadable(Path path, IOException e) {
        return e instanceof AccessDeniedException
                ? LayercakeException.badModel(path + " cannot be read: give yourself permission to read it", e)
                : LayercakeException.badModel(path + " cannot be read (" + e.getMessage() + "): check the disk", e);
    }

    /** A file that contradicts itself or the format; {@code what} names the place. */
    static LayercakeException damaged(Path path, String what) {
        return LayercakeException.badModel(
                path + ": " + what + "; the file is damaged or not complete, download or convert it again");
    }

    static LayercakeException noTensor(Path path, String name) {
        return LayercakeException.badModel(path + ": there is no tensor " + Quote.of(name)
                + "; the file is not complete or is not a model of this kind");
    }

    LayercakeException damaged(String what) {
        return damaged(path, what);
    }

    Path path() {
        return path;
    }

    long size() {
        return bytes.byteSize();
    }

    /** The whole file. */
    MemorySegment bytes() {
        return bytes;
    }

    /** True if the file lies at least {@code count} bytes from {@code from}; safe for all values. */
    boolean contains(long from, long count) {
        return from >= 0 && count >= 0 && from <= size() && count <= size() - from;
    }

    /** True if the file begins with these characters, one byte each. */
    boolean startsWith(String latin1) {
        byte[] expected = latin1.getBytes(StandardCharsets.ISO_8859_1);
        return size() >= expected.length
                && Arrays.equals(bytes.asSlice(0, expected.length).toArray(ValueLayout.JAVA_BYTE), expected);
    }

    /** Unmaps the file; a second call does nothing. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
