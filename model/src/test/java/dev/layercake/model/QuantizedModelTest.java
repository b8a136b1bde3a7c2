package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.KernelSelection;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.ScalarKernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.model.format.GgufFile;
import dev.layercake.model.format.GgufValue;
import dev.layercake.model.format.GgufWriter;
import dev.layercake.model.format.TensorContent;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** Models of random quantised blocks, teacher-forced: they say what the same weights say when they are unpacked to F32. */
class QuantizedModelTest {
    private static final int HIDDEN = 256;
    private static final int FEED_FORWARD = 512;
    private static final int VOCABULARY = 512;
    private static final int HEADS = 4;
    private static final int KV_HEADS = 2;
    private static final int LAYERS = 2;
    private static final int PROMPT = 40;
    private static final int FORCED = 20;

    private static final Map<DType, Double> BOUNDS = Map.of(DType.F32, 1e-4, DType.F16, 0.02, DType.BF16, 0.15);

    /**
     * Blocks of a type whose weights have a spread of about 1/16.
     *
     * @param scaleAt where in a block the F16 scale lies, or MXFP4's power of two
     * @param offsetAt where the F16 scale of what is subtracted, or added, lies; -1 if there is none
     */
    record Blocks(DType type, int scaleAt, float scale, int offsetAt, float offset) {
        byte[] random(int rows, int columns, SplittableRandom random) {
            byte[] bytes = new byte[Math.toIntExact(rows * type.rowBytes(columns))];
            random.nextBytes(bytes);
            ByteBuffer blocks = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
            for (int block = 0; block < bytes.length; block += type.blockBytes()) {
                float vary = random.nextFloat(0.5f, 1.5f);
                if (type == DType.MXFP4) {
                    blocks.put(block + scaleAt, (byte) (127 + Math.getExponent(scale) + random.nextInt(2)));
                } else {
                    blocks.putShort(block + scaleAt, Float.floatToFloat16(scale * vary));
                }
                if (offsetAt >= 0) {
                    blocks.putShort(block + offsetAt, Float.floatToFloat16(offset * vary));
                }
            }
            return bytes;
        }
    }

    static final List<Blocks> TYPES = List.of(
            new Blocks(DType.Q8_0, 0, 0.00085f, -1, 0),
            new Blocks(DType.Q4_0, 0, 0.0136f, -1, 0),
            new Blocks(DType.Q4_1, 0, 0.0136f, 2, -7.5f * 0.0136f),
            new Blocks(DType.Q5_0, 0, 0.0068f, -1, 0),
            new Blocks(DType.Q5_1, 0, 0.0068f, 2, -15.5f * 0.0068f),
            new Blocks(DType.Q2_K, 80, 0.0036f, 82, 1.5f * 0.0036f),
            new Blocks(DType.Q3_K, 108, 0.0014f, -1, 0),
            new Blocks(DType.Q4_K, 0, 0.0002f, 2, 7.5f * 0.0002f),
            new Blocks(DType.Q5_K, 0, 0.0001f, 2, 15.5f * 0.0001f),
            new Blocks(DType.Q6_K, 208, 0.00005f, -1, 0),
            new Blocks(DType.IQ4_NL, 0, 0.0009f, -1, 0),
            new Blocks(DType.IQ4_XS, 0, 0.00005f, -1, 0),
            new Blocks(DType.MXFP4, 0, 1 / 64f, -1, 0));

    @TempDir
    private Path temporary;

    @ParameterizedTest
    @FieldSource("TYPES")
    void saysWhatItsUnpackedWeightsSay(Blocks blocks) {
        Path quantized = temporary.resolve("quantized.gguf");
        Path unpacked = temporary.resolve("unpacked.gguf");
        write(quantized, blocks);
        unpack(quantized, unpacked);
        Kernels kernels = KernelSelection.choose().kernels();
        SplittableRandom random = new SplittableRandom(5);
        int[] prompt = random.ints(PROMPT, 0, VOCABULARY).toArray();
        int[] forced = random.ints(FORCED, 0, VOCABULARY).toArray();
        try (Workers workers = new Workers(2);
                Model model = Model.load(quantized, null, kernels, workers);
                Model reference = Model.load(unpacked, null, kernels, workers);
                Forward forward = new Forward(model, kernels, workers);
                Forward referenceForward = new Forward(reference, new ScalarKernels(), workers)) {
            List<double[]> expected = ForcedLogits.run(reference, referenceForward, prompt, forced, DType.F32);
            BOUNDS.forEach((kvType, bound) -> assertThat(
                            most(ForcedLogits.run(model, forward, prompt, forced, kvType), expected))
                    .as("%s, keys and values in %s", blocks.type(), kvType)
                    .isLessThan(bound));
        }
    }

    /** The most that a log-probability of any token differs. */
    private static double most(List<double[]> actual, List<double[]> expected) {
        double most = 0;
        for (int step = 0; step < expected.size(); step++) {
            for (int token = 0; token < VOCABULARY; token++) {
                most = Math.max(most, Math.abs(actual.get(step)[token] - expected.get(step)[token]));
            }
        }
        return most;
    }

    private static void write(Path path, Blocks blocks) {
        SplittableRandom random = new SplittableRandom(11);
        GgufWriter writer = header();
        matrix(writer, "token_embd.weight", blocks, VOCABULARY, HIDDEN, random);
        matrix(writer, "output.weight", blocks, VOCABULARY, HIDDEN, random);
        norm(writer, "output_norm.weight");
        for (int layer = 0; layer < LAYERS; layer++) {
            String prefix = "blk." + layer + ".";
            int keys = HIDDEN / HEADS * KV_HEADS;
            norm(writer, prefix + "attn_norm.weight");
            matrix(writer, prefix + "attn_q.weight", blocks, HIDDEN, HIDDEN, random);
            matrix(writer, prefix + "attn_k.weight", blocks, keys, HIDDEN, random);
            matrix(writer, prefix + "attn_v.weight", blocks, keys, HIDDEN, random);
            matrix(writer, prefix + "attn_output.weight", blocks, HIDDEN, HIDDEN, random);
            norm(writer, prefix + "ffn_norm.weight");
            matrix(writer, prefix + "ffn_gate.weight", blocks, FEED_FORWARD, HIDDEN, random);
            matrix(writer, prefix + "ffn_up.weight", blocks, FEED_FORWARD, HIDDEN, random);
            matrix(writer, prefix + "ffn_down.weight", blocks, HIDDEN, FEED_FORWARD, random);
        }
        writer.write(path);
    }

    private static GgufWriter header() {
        return new GgufWriter()
                .metadata("general.architecture", GgufValue.string("llama"))
                .metadata("llama.block_count", GgufValue.uint32(LAYERS))
                .metadata("llama.context_length", GgufValue.uint32(PROMPT + FORCED))
                .metadata("llama.embedding_length", GgufValue.uint32(HIDDEN))
                .metadata("llama.feed_forward_length", GgufValue.uint32(FEED_FORWARD))
                .metadata("llama.attention.head_count", GgufValue.uint32(HEADS))
                .metadata("llama.attention.head_count_kv", GgufValue.uint32(KV_HEADS))
                .metadata("llama.attention.layer_norm_rms_epsilon", GgufValue.float32(1e-5f));
    }

    private static void matrix(
            GgufWriter writer, String name, Blocks blocks, int rows, int columns, SplittableRandom random) {
        byte[] bytes = blocks.random(rows, columns, random);
        writer.add(name, blocks.type(), TensorContent.of(MemorySegment.ofArray(bytes)), rows, columns);
    }

    private static void norm(GgufWriter writer, String name) {
        float[] ones = new float[HIDDEN];
        Arrays.fill(ones, 1);
        writer.add(name, DType.F32, TensorContent.ofFloats(ones), HIDDEN);
    }

    /** The same file with every tensor in F32. */
    private static void unpack(Path quantized, Path unpacked) {
        GgufWriter writer = header();
        Kernels kernels = new ScalarKernels();
        try (GgufFile file = GgufFile.open(quantized);
                Arena arena = Arena.ofConfined()) {
            for (String name : file.names()) {
                Tensor tensor = file.tensor(name);
                Tensor floats = Tensor.allocate(arena, DType.F32, tensor.rows(), tensor.columns());
                for (int row = 0; row < tensor.rows(); row++) {
                    kernels.dequantize(tensor, row, floats.slice(row, 1));
                }
                writer.add(name, floats);
            }
            writer.write(unpacked);
        }
    }
}
