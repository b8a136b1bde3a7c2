package dev.layercake.kv;

import dev.layercake.kernels.Tensor;
import dev.layercake.kv.policy.Rotary;

/**
 * What policies may ask of the model whose keys and values a cache holds. The forward pass gives it with every pass; few
 * policies ask ({@link dev.layercake.kv.policy.KvPolicy#usesModel}).
 */
public interface ModelParts {
    /** Of a model nobody knows anything of; for policies that ask nothing. */
    ModelParts NONE = new ModelParts() {
        @Override
        public Rotary rotary(int layer, int length) {
            throw new IllegalStateException("the policy needs the model's rotary embedding, and none was given");
        }

        @Override
        public int outputSize() {
            throw new IllegalStateException("the policy needs the model's output projection, and none was given");
        }

        @Override
        public void outputRows(int layer, int firstRow, Tensor target) {
            outputSize();
        }
    };

    /**
     * A layer's rotary embedding.
     *
     * @param length positions in use, which some models' frequencies depend on
     */
    Rotary rotary(int layer, int length);

    /** Rows of the output projection W_O: elements of a hidden state. */
    int outputSize();

    /**
     * Widens rows of a layer's output projection.
     *
     * @param target [rows x queryHeads * headDim] float32
     */
    void outputRows(int layer, int firstRow, Tensor target);
}
