package dev.layercake.model;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.ContextReplay;
import dev.layercake.kv.KvCache;
import dev.layercake.kv.policy.KvPolicy;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;

/**
 * Makes the model repeat a text that a cache has read, part by part, and cuts the cache by what that tells; for a policy that
 * replays (KVzip).
 */
final class TextReplay {
    /** Parts get no shorter than this, even if what follows the text is then beyond the model's context. */
    private static final int LEAST_PART_TOKENS = 64;

    private final Model model;
    private final ModelConfig config;
    private final LayerBlocks blocks;
    private final Kernels kernels;
    private final Workers workers;
    private final int contextTokens;
    private final Lazy<ReplayPrompt> prompt;

    /** @param contextTokens where parts become shorter so that text and repetition stay below it */
    TextReplay(Model model, LayerBlocks blocks, Kernels kernels, Workers workers, int contextTokens) {
        this.model = model;
        this.config = model.config();
        this.blocks = blocks;
        this.kernels = kernels;
        this.workers = workers;
        this.contextTokens = contextTokens;
        this.prompt = new Lazy<>(() -> ReplayPrompt.of(model));
    }

    /** A pass: what asks for a part of the text, and the part. */
    static final class Part {
        private final int[] tokens;
        private final int textTokens;

        private Part(int[] asking, int[] text) {
            this.tokens = ReplayPrompt.concat(asking, text);
            this.textTokens = text.length;
        }

        /** Tokens of the text that it repeats. */
        int textTokens() {
            return textTokens;
        }
    }

    /** The passes that are due once some more tokens will have been read; none if all fits. */
    List<Part> parts(KvCache cache, int[] newTokens) {
        if (!cache.replayDue(newTokens.length)) {
            return List.of();
        }
        int[] text = ReplayPrompt.concat(cache.unreplayedText(), newTokens);
        boolean first = text.length == cache.tokensSeen() + newTokens.length;
        int room = contextTokens - end(cache, newTokens.length) - prompt.get().most();
        int length = Math.min(cache.policy().scorer().replayTokens(), Math.max(room, LEAST_PART_TOKENS));
        List<Part> parts = new ArrayList<>();
        for (int from = 0; from < text.length; from += length) {
            int[] part = Arrays.copyOfRange(text, from, Math.min(text.length, from + length));
            parts.add(new Part(prompt.get().asking(text, from, first), part));
        }
        return parts;
    }

    /** Positions that the least pass takes behind the text; 0 if none is due. */
    int leastTokens(KvCache cache, int newTokens) {
        if (!cache.replayDue(newTokens)) {
            return 0;
        }
        int text = Math.addExact(cache.unreplayedText().length, newTokens);
        int part = Math.min(text, Math.min(cache.policy().scorer().replayTokens(), LEAST_PART_TOKENS));
        return prompt.get().most() + part;
    }

    private static int end(KvCache cache, int newTokens) {
        return Math.addExact(cache.rotations(newTokens).first(), newTokens);
    }

    /** Bytes that a pass needs when the text has so many tokens. */
    static long bytes(Model model, KvPolicy policy, int tokens) {
        return Forward.prefillBytes(model, ContextReplay.mostTokens(policy, tokens))
                + ContextReplay.judgingBytes(
                        policy, model.config().attentionShape(0), model.config().layerCount(), tokens);
    }

    /**
     * Runs the passes and cuts the cache.
     *
     * @param progress told of each pass's own token-layers, together
     * @throws CancellationException if {@code progress} says so; the cache is then empty
     */
    void run(KvCache cache, List<Part> parts, Forward.Progress progress) {
        if (parts.isEmpty()) {
            return;
        }
        long total = tokenLayers(parts);
        long done = 0;
        for (Part part : parts) {
            long before = done;
            run(cache, part, (now, ofPart) -> progress.advance(before + now, total));
            done += (long) part.tokens.length * config.layerCount();
        }
        cache.cutReplayed(workers);
    }

    /** What passes go through. */
    long tokenLayers(List<Part> parts) {
        return config.layerCount()
                * parts.stream().mapToLong(part -> part.tokens.length).sum();
    }

    private void run(KvCache cache, Part part, Forward.Progress progress) {
        int count = part.tokens.length;
        int chunkTokens = Math.min(count, Forward.CHUNK_TOKENS);
        try (Arena arena = Arena.ofShared()) {
            Tensor hidden = Tensor.allocate(arena, DType.F32, count, config.hiddenSize());
            for (int index = 0; index < count; index++) {
                blocks.embed(part.tokens[index], hidden.slice(index, 1));
            }
            Activations activations = Activations.allocate(config, model.feedForwardSize(), chunkTokens, arena);
            RopeTables rope = new RopeTables(config, count, arena);
            rope.fill(cache.rotations(count), workers);
            try (ContextReplay replay = cache.beginReplay(part.textTokens(), count, kernels, workers)) {
                for (int layer = 0; layer < config.layerCount(); layer++) {
                    KvRows[] rows = replay.beginLayer(layer);
                    for (int first = 0; first < count; first += chunkTokens) {
                        Tensor states = hidden.slice(first, Math.min(chunkTokens, count - first));
                        pass(replay, layer, rows, rope, first, states, activations);
                        long done = (long) layer * count + first + states.rows();
                        if (!progress.advance(done, (long) config.layerCount() * count)) {
                            throw new CancellationException("the replay was cancelled");
                        }
                    }
                    replay.endLayer();
                }
                replay.finish();
            }
        }
    }

    /** One chunk through one layer; what the last layer would make of it nobody reads. */
    private void pass(
            ContextReplay replay,
            int layer,
            KvRows[] rows,
            RopeTables rope,
            int first,
            Tensor states,
            Activations activations) {
        Weights.Layer weights = model.weights().layers().get(layer);
        AttentionShape shape = config.attentionShape(layer);
        Activations chunk = activations.first((int) states.rows());
        blocks.project(weights, states, chunk);
        blocks.rotate(layer, chunk, rope, first);
        replay.store(first, chunk.keys(), chunk.values());
        replay.addAttention(shape, first, chunk.queries());
        if (layer < config.layerCount() - 1) {
            kernels.attend(shape, rows, chunk.queries(), replay.firstPosition() + first, chunk.attended(), workers);
            blocks.addAttention(weights, chunk, states);
            blocks.addFeedForward(weights, chunk, states);
        }
    }
}
