package dev.layercake.model.format;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import dev.layercake.kernels.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;

/**
 * Named tensors of one model, wherever they lie. Tensors share the source's memory: none may be used after {@link #close}.
 * Safe for use by many threads.
 */
public interface TensorSource extends AutoCloseable {
    /** The file or folder, as the user gave it; for messages. */
    Path path();

    /** Names of all tensors, in the order of the file; unmodifiable. */
    Set<String> names();

    /** What the file says about a tensor, empty if it has none of that name. */
    Optional<TensorInfo> find(String name);

    /**
     * The bytes of a tensor of any type, little-endian, read-only, not necessarily aligned.
     *
     * @throws LayercakeException (bad model) if there is no such tensor
     */
    MemorySegment data(String name);

    /** Bytes of all files together. */
    long fileBytes();

    /** Gives the memory back; every tensor taken from this source is invalid from then on. */
    @Override
    void close();

    /**
     * What the file says about a tensor that must be there.
     *
     * @throws LayercakeException (bad model) if there is no such tensor
     */
    default TensorInfo info(String name) {
        return find(name).orElseThrow(() -> MappedFile.noTensor(path(), name));
    }

    /**
     * A tensor as a matrix over the source's memory, not copied: [product of the other dimensions x last dimension], so
     * that a vector is one row.
     *
     * @throws LayercakeException (bad model) if there is no such tensor, or the kernels do not compute with its type
     */
    default Tensor tensor(String name) {
        TensorInfo info = info(name);
        return new Tensor(computable(info), data(name), info.rows(), info.columns());
    }

    /**
     * One matrix of a tensor of at least three dimensions, such as one expert of a mixture, not copied.
     *
     * @param index along the first dimension
     * @throws LayercakeException (bad model) as {@link #tensor(String)}, or if the tensor has less than three dimensions
     *     or {@code index} is beyond the first
     */
    default Tensor tensor(String name, long index) {
        TensorInfo info = info(name);
        if (info.shape().size() < 3) {
            throw LayercakeException.badModel(path() + ": tensor " + Quote.of(name) + " has shape " + info.shape()
                    + ", not one matrix per expert; the file is not a model of this kind");
        }
        long matrices = info.shape().getFirst();
        if (index < 0 || index >= matrices) {
            throw LayercakeException.badModel(path() + ": tensor " + Quote.of(name) + " has " + matrices
                    + " matrices, so there is no number " + index + "; its metadata do not fit its tensors");
        }
        long rows = info.rows() / matrices;
        return tensor(name).slice(index * rows, rows);
    }

    private DType computable(TensorInfo info) {
        return info.dtype()
                .orElseThrow(
                        () -> LayercakeException.badModel(
                                path() + ": tensor " + Quote.of(info.name())
                                        + " has type " + info.dtypeName()
                                        + ", which Layercake does not compute with; convert the model "
                                        + "to one of F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K to Q6_K, IQ4_NL, IQ4_XS, MXFP4"));
    }
}
