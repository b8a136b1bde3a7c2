package dev.layercake.model;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.Tensor;
import dev.layercake.kernels.Workers;
import dev.layercake.kv.Rotations;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Cosines and sines of consecutive positions, for each kind of rotary embedding that a model's layers use. */
final class RopeTables {
    private record Table(Tensor cos, Tensor sin) {}

    private final Map<RopeConfig, Table> tables = new LinkedHashMap<>();
    private final List<ModelConfig.Layer> layers;
    private final int capacity;

    /** @param capacity most positions that {@link #fill} will be asked for */
    RopeTables(ModelConfig config, int capacity, Arena arena) {
        this.layers = config.layers();
        this.capacity = capacity;
        for (ModelConfig.Layer layer : layers) {
            tables.computeIfAbsent(
                    layer.rope(),
                    rope -> new Table(
                            Tensor.allocate(arena, DType.F32, capacity, rope.pairs()),
                            Tensor.allocate(arena, DType.F32, capacity, rope.pairs())));
        }
    }

    static long bytes(ModelConfig config, int capacity) {
        return config.layers().stream()
                .map(ModelConfig.Layer::rope)
                .distinct()
                .mapToLong(rope -> 2L * Float.BYTES * rope.pairs() * capacity)
                .sum();
    }

    /** Computes rows {@code [0, count)} for the positions of the next tokens. */
    void fill(Rotations rotations, Workers workers) {
        int firstPosition = rotations.first();
        int count = rotations.count();
        if (count > capacity) {
            throw new IllegalArgumentException(count + " positions in tables of " + capacity);
        }
        tables.forEach((rope, table) -> {
            float[] frequencies = rope.inverseFrequencies(rotations.length());
            float factor = rope.attentionFactor();
            workers.run((worker, team) -> {
                int end = (int) ((long) count * (worker + 1) / team);
                for (int row = (int) ((long) count * worker / team); row < end; row++) {
                    float position = firstPosition + row;
                    for (int pair = 0; pair < frequencies.length; pair++) {
                        // The angle is rounded to float32 first, as the reference does.
                        double angle = rotations.exact()
                                ? (double) (firstPosition + row) * frequencies[pair]
                                : position * frequencies[pair];
                        table.cos.set(row, pair, (float) Math.cos(angle) * factor);
                        table.sin.set(row, pair, (float) Math.sin(angle) * factor);
                    }
                }
            });
        });
    }

    /** Rows {@code [first, first + count)} of the cosines for a layer. */
    Tensor cos(int layer, int first, int count) {
        return table(layer).cos.slice(first, count);
    }

    /** Rows {@code [first, first + count)} of the sines for a layer. */
    Tensor sin(int layer, int first, int count) {
        return table(layer).sin.slice(first, count);
    }

    private Table table(int layer) {
        Table table = tables.get(layers.get(layer).rope());
        if (table == null) {
            throw new IllegalStateException("no table for layer " + layer);
        }
        return table;
    }
}
