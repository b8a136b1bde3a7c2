package dev.layercake.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.KvCache;
import dev.layercake.model.format.GgufValue;
import dev.layercake.model.format.GgufWriter;
import dev.layercake.model.format.TensorContent;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A real trained model end to end: stories260K, converted from llama2.c's format, writes its 256 greedy tokens. */
class Stories260KTest {
    private static final Path FOLDER = TestModels.shared().resolve("data/models/stories260K");

    @TempDir
    private Path temporary;

    @Test
    void writesItsGreedyStory() throws IOException {
        assumeTrue(Files.isDirectory(FOLDER), () -> "third-party model not at hand: " + FOLDER);
        JsonNode expected = JsonMapper.shared()
                .readTree(FOLDER.resolve("greedy256_golden.json").toFile())
                .path("ids_bos_first");
        List<Integer> tokens = new ArrayList<>();
        expected.forEach(token -> tokens.add(token.asInt()));
        Path gguf = temporary.resolve("stories260K.gguf");
        convert(FOLDER.resolve("stories260K.bin"), gguf);
        for (Kernels kernels : TestModels.kernels()) {
            assertThat(greedy(gguf, kernels, tokens.getFirst(), tokens.size()))
                    .as(kernels.name())
                    .isEqualTo(tokens);
        }
    }

    private static List<Integer> greedy(Path gguf, Kernels kernels, int first, int count) {
        List<Integer> tokens = new ArrayList<>(List.of(first));
        try (Workers workers = new Workers(2);
                Model model = Model.load(gguf, null, kernels, workers);
                Forward forward = new Forward(model, kernels, workers);
                KvCache cache = TestModels.cache(model, "full", count, DType.F32)) {
            Tensor logits = forward.prefill(cache, new int[] {first}, Forward.Progress.NONE);
            while (tokens.size() < count) {
                tokens.add(TestModels.argmax(Forward.row(logits, 0)));
                if (tokens.size() < count) {
                    logits = forward.decode(cache, tokens.getLast());
                }
            }
        }
        return tokens;
    }

    /** Seven ints, then float32 tensors, each for all layers; rotary pairs are neighbours, as in GGUF. */
    private static void convert(Path bin, Path gguf) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(Files.readAllBytes(bin)).order(ByteOrder.LITTLE_ENDIAN);
        int dim = in.getInt();
        int feedForward = in.getInt();
        int layers = in.getInt();
        int heads = in.getInt();
        int kvHeads = in.getInt();
        int vocabulary = in.getInt();
        int context = in.getInt();
        int kvDim = dim / heads * kvHeads;
        GgufWriter writer = new GgufWriter()
                .metadata("general.architecture", GgufValue.string("llama"))
                .metadata("llama.block_count", GgufValue.uint32(layers))
                .metadata("llama.context_length", GgufValue.uint32(context))
                .metadata("llama.embedding_length", GgufValue.uint32(dim))
                .metadata("llama.feed_forward_length", GgufValue.uint32(feedForward))
                .metadata("llama.attention.head_count", GgufValue.uint32(heads))
                .metadata("llama.attention.head_count_kv", GgufValue.uint32(kvHeads))
                .metadata("llama.attention.layer_norm_rms_epsilon", GgufValue.float32(1e-5f));
        add(writer, in, "token_embd", 1, vocabulary, dim);
        add(writer, in, "blk.%d.attn_norm", layers, 1, dim);
        add(writer, in, "blk.%d.attn_q", layers, dim, dim);
        add(writer, in, "blk.%d.attn_k", layers, kvDim, dim);
        add(writer, in, "blk.%d.attn_v", layers, kvDim, dim);
        add(writer, in, "blk.%d.attn_output", layers, dim, dim);
        add(writer, in, "blk.%d.ffn_norm", layers, 1, dim);
        add(writer, in, "blk.%d.ffn_gate", layers, feedForward, dim);
        add(writer, in, "blk.%d.ffn_down", layers, dim, feedForward);
        add(writer, in, "blk.%d.ffn_up", layers, feedForward, dim);
        add(writer, in, "output_norm", 1, 1, dim);
        writer.write(gguf);
    }

    private static void add(GgufWriter writer, ByteBuffer in, String name, int layers, int rows, int columns) {
        for (int layer = 0; layer < layers; layer++) {
            float[] values = new float[rows * columns];
            for (int index = 0; index < values.length; index++) {
                values[index] = in.getFloat();
            }
            String fullName = TensorNames.at(name, layer) + ".weight";
            writer.add(fullName, DType.F32, TensorContent.ofFloats(values), rows, columns);
        }
    }
}
