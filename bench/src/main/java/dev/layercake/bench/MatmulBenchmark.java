package dev.layercake.bench;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.KernelSelection;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import java.lang.foreign.Arena;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Microseconds of a linear layer of the 1B shape, [8192 x 2048], for one token (decode) and for 512 (prefill). Compare only
 * figures of one run: machines differ, and so does one machine from hour to hour.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(
        value = 1,
        jvmArgsAppend = {"--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"})
public class MatmulBenchmark {
    private static final int OUTPUTS = 8192;
    private static final int INPUTS = 2048;

    /** Type of the weights. */
    @Param({"F32", "BF16", "Q8_0", "Q4_0", "Q4_K"})
    public DType dtype = DType.F32;

    /** Rows of x. */
    @Param({"1", "512"})
    public int tokens = 1;

    /** Threads of the team. */
    @Param("2")
    public int threads = 2;

    private final Kernels kernels = KernelSelection.choose().kernels();
    private final Arena arena = Arena.ofShared();
    private Workers workers = new Workers(1);
    private Tensor weights = Tensor.allocate(arena, DType.F32, 1, 1);
    private Tensor x = weights;
    private Tensor out = weights;

    /** Makes zeroed operands; their values do not change what the loops do. */
    @Setup
    public void allocate() {
        workers.close();
        workers = new Workers(threads);
        weights = Tensor.allocate(arena, dtype, OUTPUTS, INPUTS);
        x = Tensor.allocate(arena, DType.F32, tokens, INPUTS);
        out = Tensor.allocate(arena, DType.F32, tokens, OUTPUTS);
    }

    /** Gives the memory back. */
    @TearDown
    public void release() {
        workers.close();
        arena.close();
    }

    /** The product itself. */
    @Benchmark
    public Tensor product() {
        kernels.matmul(weights, x, out, workers);
        return out;
    }
}
