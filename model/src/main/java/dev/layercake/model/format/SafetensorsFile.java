package dev.layercake.model.format;

import dev.layercake.kernels.LayercakeException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * One Safetensors file, memory-mapped. Tensors of F32, F16 and BF16 can be computed with; those of other types are
 * listed, and their bytes can be read.
 *
 * <p>More lenient than the reference reader in one point: bytes that belong to no tensor are allowed.
 */
public final class SafetensorsFile implements TensorSource {
    private final MappedFile file;
    private final SafetensorsHeader header;

    private SafetensorsFile(MappedFile file, SafetensorsHeader header) {
        this.file = file;
        this.header = header;
    }

    /**
     * Opens one file and checks its header against its size.
     *
     * @throws LayercakeException (bad model) if the file cannot be read or is not a sound Safetensors file
     */
    public static SafetensorsFile open(Path path) {
        MappedFile file = MappedFile.open(path);
        boolean sound = false;
        try {
            SafetensorsFile opened = new SafetensorsFile(file, SafetensorsHeader.read(file));
            sound = true;
            return opened;
        } finally {
            if (!sound) {
                file.close();
            }
        }
    }

    /**
     * Opens the model that an index such as {@code model.safetensors.index.json} describes: many files in its folder, seen
     * as one source. Tensors that the index does not name are not seen.
     *
     * @throws LayercakeException (bad model) if the index or one of its files is missing or not sound
     */
    public static TensorSource openSharded(Path index) {
        return ShardedSafetensors.open(index);
    }

    /** The free strings that the header carries. */
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(header.metadata());
    }

    @Override
    public Path path() {
        return file.path();
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(header.tensors().keySet());
    }

    @Override
    public Optional<TensorInfo> find(String name) {
        return Optional.ofNullable(header.tensors().get(name)).map(Placed::info);
    }

    @Override
    public MemorySegment data(String name) {
        Placed placed = header.tensors().get(name);
        if (placed == null) {
            throw MappedFile.noTensor(path(), name);
        }
        return file.bytes().asSlice(placed.offset(), placed.info().bytes());
    }

    @Override
    public long fileBytes() {
        return file.size();
    }

    @Override
    public void close() {
        file.close();
    }
}
