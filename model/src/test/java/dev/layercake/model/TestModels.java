package dev.layercake.model;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.KernelSelection;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.ScalarKernels;
import dev.layercake.kv.KvCache;
import dev.layercake.kv.KvPlan;
import dev.layercake.kv.KvPool;
import dev.layercake.kv.policy.KvPolicy;
import dev.layercake.kv.policy.Policies;
import dev.layercake.model.format.TensorSource;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;

/** What the tests of whole models share. */
final class TestModels {
    private TestModels() {}

    /** The specification, and what this process would choose. */
    static List<Kernels> kernels() {
        return List.of(new ScalarKernels(), KernelSelection.choose().kernels());
    }

    /** Third-party data, which is not part of the project. */
    static Path shared() {
        String elsewhere = System.getProperty("layercake.shared", "");
        return elsewhere.isEmpty()
                ? Path.of(System.getProperty("layercake.root")).resolveSibling("shared")
                : Path.of(elsewhere);
    }

    /** A cache with a reservation just large enough for so many tokens. */
    static KvCache cache(Model model, String spec, int tokens, DType kvType) {
        KvPolicy policy = Policies.parse(spec);
        KvPlan plan = KvPlan.of(model.config().kvLayout(kvType, kvType), policy, tokens, tokens);
        // Room for the page that a later turn may begin where the first one fills its last.
        KvPool pool = new KvPool(model.config().kvLayout(kvType, kvType), plan.peakBytes() * 3 / 2);
        return new KvCache(pool, policy, plan.peakBytes());
    }

    static int argmax(float[] values) {
        int best = 0;
        for (int index = 1; index < values.length; index++) {
            if (values[index] > values[best]) {
                best = index;
            }
        }
        return best;
    }

    /** An I32 tensor of any shape. */
    static int[] integers(TensorSource source, String name) {
        MemorySegment data = source.data(name);
        int[] values = new int[(int) source.info(name).elements()];
        for (int index = 0; index < values.length; index++) {
            values[index] = data.get(ValueLayout.JAVA_INT_UNALIGNED, (long) index * Integer.BYTES);
        }
        return values;
    }
}
