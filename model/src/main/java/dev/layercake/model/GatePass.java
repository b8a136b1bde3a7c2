package dev.layercake.model;

import dev.layercake.kernels.AttentionShape;
import dev.layercake.kernels.DType;
import dev.layercake.kernels.Kernels;
import dev.layercake.kernels.KvRows;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import java.lang.foreign.Arena;

/** Evaluates a model's gates for one prompt, layer by layer, before each layer's own attention. */
final class GatePass {
    private final AttentionGates gates;
    private final Kernels kernels;
    private final Workers workers;
    private final int tokens;
    private final int kvHeads;
    private final AttentionShape shape;
    private final KvRows[] rows;
    private final Tensor queries;
    private final Tensor attended;
    private final Tensor keys;
    private final Tensor values;
    private final Tensor logits;

    /** @param arena as long-lived as the prompt's pass */
    GatePass(AttentionGates gates, ModelConfig config, int tokens, Kernels kernels, Workers workers, Arena arena) {
        this.gates = gates;
        this.kernels = kernels;
        this.workers = workers;
        this.tokens = tokens;
        this.kvHeads = config.kvHeads();
        this.shape = new AttentionShape(
                gates.heads(), gates.heads(), gates.headDim(), (float) (1 / Math.sqrt(gates.headDim())), 0, 0);
        this.rows = new KvRows[gates.heads()];
        for (int head = 0; head < rows.length; head++) {
            rows[head] = new KvRows(DType.F32, DType.F32, gates.headDim(), tokens);
            rows[head].addPage(Tensor.allocate(arena, DType.F32, 2L * tokens, gates.headDim())
                    .address());
            for (int token = 0; token < tokens; token++) {
                // Where every token is at the beginning, every token sees all.
                rows[head].append(gates.causal() ? token : 0);
            }
        }
        int chunk = Math.min(tokens, Forward.CHUNK_TOKENS);
        this.queries = Tensor.allocate(arena, DType.F32, chunk, gates.width());
        this.attended = Tensor.allocate(arena, DType.F32, chunk, gates.width());
        this.keys = Tensor.allocate(arena, DType.F32, chunk, gates.width());
        this.values = Tensor.allocate(arena, DType.F32, chunk, gates.width());
        this.logits = Tensor.allocate(arena, DType.F32, chunk, kvHeads);
    }

    /** Passes a chunk's hidden states through the norm before a layer's attention. */
    @FunctionalInterface
    interface Norm {
        Tensor of(int firstToken, int count);
    }

    /**
     * What a layer's gates let through.
     *
     * @param norm gives the normed hidden states of consecutive tokens; valid until it is asked again
     * @param threshold a score must exceed it
     * @return [kvHeads][tokens]
     */
    boolean[][] passed(int layer, Norm norm, double threshold) {
        float[][] scores = scores(layer, norm);
        boolean[][] passed = new boolean[kvHeads][tokens];
        for (int head = 0; head < kvHeads; head++) {
            for (int token = 0; token < tokens; token++) {
                passed[head][token] = scores[head][token] > threshold;
            }
        }
        return passed;
    }

    /** The scores of a layer's gates, from 0 to 1, [kvHeads][tokens]. */
    float[][] scores(int layer, Norm norm) {
        AttentionGates.Layer gate = gates.layers().get(layer);
        int chunk = (int) queries.rows();
        for (int first = 0; first < tokens; first += chunk) {
            int count = Math.min(chunk, tokens - first);
            Tensor[] targets = {keys.slice(0, count), values.slice(0, count)};
            kernels.matmulAll(new Tensor[] {gate.key(), gate.value()}, norm.of(first, count), targets, workers);
            kernels.store(rows, tokens - first, targets[0], targets[1], workers);
        }
        float[][] scores = new float[kvHeads][tokens];
        for (int first = 0; first < tokens; first += chunk) {
            int count = Math.min(chunk, tokens - first);
            kernels.matmul(gate.query(), norm.of(first, count), queries.slice(0, count), workers);
            kernels.attend(shape, rows, queries.slice(0, count), first, attended.slice(0, count), workers);
            kernels.matmul(gate.output(), attended.slice(0, count), logits.slice(0, count), workers);
            for (int head = 0; head < kvHeads; head++) {
                for (int token = 0; token < count; token++) {
                    double logit =
                            logits.get(token, head) + (double) gate.bias().get(0, head);
                    scores[head][first + token] = (float) (1 / (1 + Math.exp(-logit)));
                }
            }
        }
        return scores;
    }
}
