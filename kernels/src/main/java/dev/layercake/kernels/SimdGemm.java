package dev.layercake.kernels;

import static dev.layercake.kernels.VectorWidth.LANES;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A matrix times many vectors, bound by arithmetic. Activations are packed once into panels, [input][token] with two
 * vectors of tokens side by side. Each worker takes a block of outputs at a time, decodes its weights piece by piece into
 * scratch, and multiplies tiles whose sums stay in registers: weights are broadcast, tokens fill the lanes.
 *
 * <p>A tile's sums fall out as [output][token]; they are collected in scratch and turned around when a block is done.
 */
final class SimdGemm {
    /** Inputs of a piece: a panel's piece stays in the first-level cache. A whole number of blocks of every dtype. */
    static final int DEPTH = 256;

    /** Floats between decoded rows: not a power of two, so that a tile's rows do not share cache sets. */
    static final int ROW = DEPTH + 16;

    private static final long ROW_BYTES = 4L * ROW;

    /** Tokens that are packed at a time; bounds the scratch, not the arithmetic. */
    private static final int TOKENS = 512;

    /** Most outputs of a block: its decoded piece stays in the second-level cache. */
    private static final int OUTPUTS = 96;

    /** Twelve rows need 24 sums in registers beside their operands; x86 has so many only with AVX-512. */
    private static final int TILE_ROWS =
            LANES == 16 || System.getProperty("os.arch", "").equals("aarch64") ? Tile12.ROWS : Tile6.ROWS;

    private final Tensor weights;
    private final Tensor x;
    private final Tensor out;
    private final int inputs;
    private final int outputs;
    private final int blockOutputs;
    private final long panels;
    private final int mostTokens;
    private final AtomicInteger nextBlock = new AtomicInteger();
    private int firstToken;
    private int tokens;
    private int paddedTokens;

    private SimdGemm(Tensor weights, Tensor x, Tensor out, Workers workers) {
        this.weights = weights;
        this.x = x;
        this.out = out;
        this.inputs = (int) weights.columns();
        this.outputs = (int) weights.rows();
        // Some blocks for each worker, so that they finish together.
        int tiles = Math.ceilDiv(outputs, 4 * workers.count() * TILE_ROWS);
        this.blockOutputs = Math.clamp(tiles, 2, OUTPUTS / TILE_ROWS) * TILE_ROWS;
        this.mostTokens = padded((int) Math.min(TOKENS, x.rows()));
        // Worker 0's scratch is one piece for both uses, because asking twice may move it.
        this.panels = workers.scratch(0, ROW_BYTES + 4L * inputs * mostTokens).address() + ROW_BYTES;
    }

    static void matmul(Tensor weights, Tensor x, Tensor out, Workers workers) {
        SimdGemm product = new SimdGemm(weights, x, out, workers);
        for (int token = 0; token < x.rows(); token += TOKENS) {
            product.firstToken = token;
            product.tokens = (int) Math.min(TOKENS, x.rows() - token);
            product.paddedTokens = padded(product.tokens);
            product.nextBlock.setPlain(0);
            workers.run(product::pack);
            workers.run((worker, count) -> {
                long row = worker == 0
                        ? product.panels - ROW_BYTES
                        : workers.scratch(worker, ROW_BYTES).address();
                product.multiply(row, workers.floats(worker, product.blockOutputs * (ROW + product.mostTokens)));
            });
        }
    }

    private static int padded(int tokens) {
        return Math.ceilDiv(tokens, LANES) * LANES;
    }

    private static int width(int panelToken, int paddedTokens) {
        return Math.min(2 * LANES, paddedTokens - panelToken);
    }

    /** Address of the piece from {@code input} on of the panel that begins with {@code token}. */
    private long panel(int input, int depth, int token) {
        return panels + 4L * ((long) input * paddedTokens + (long) depth * token);
    }

    private void pack(int worker, int count) {
        int unit = 0;
        for (int input = 0; input < inputs; input += DEPTH) {
            int depth = Math.min(DEPTH, inputs - input);
            for (int token = 0; token < paddedTokens; token += 2 * LANES) {
                if (unit++ % count == worker) {
                    packPanel(input, depth, token, width(token, paddedTokens));
                }
            }
        }
    }

    /** Turns a panel around, one cache line of a token at a time. */
    private void packPanel(int input, int depth, int token, int width) {
        long target = panel(input, depth, token);
        for (int from = 0; from < depth; from += 16) {
            int count = Math.min(16, depth - from);
            for (int lane = 0; lane < width; lane++) {
                long to = target + 4L * ((long) from * width + lane);
                if (token + lane < tokens) {
                    long source = x.rowAddress(firstToken + token + lane) + 4L * (input + from);
                    for (int i = 0; i < count; i++) {
                        Memory.putFloat32(to + 4L * i * width, Memory.float32(source + 4L * i));
                    }
                } else {
                    for (int i = 0; i < count; i++) {
                        Memory.putFloat32(to + 4L * i * width, 0);
                    }
                }
            }
        }
    }

    /** @param work a block's decoded weights, then its sums */
    private void multiply(long rowScratch, float[] work) {
        int blocks = Math.ceilDiv(outputs, blockOutputs);
        int sums = blockOutputs * ROW;
        for (int block = nextBlock.getAndIncrement(); block < blocks; block = nextBlock.getAndIncrement()) {
            int firstOutput = block * blockOutputs;
            int count = Math.min(blockOutputs, outputs - firstOutput);
            Arrays.fill(work, sums, sums + blockOutputs * paddedTokens, 0);
            for (int input = 0; input < inputs; input += DEPTH) {
                int depth = Math.min(DEPTH, inputs - input);
                decode(firstOutput, count, input, depth, rowScratch, work);
                multiplyPiece(work, count, input, depth, sums);
            }
            turn(work, sums, firstOutput, count);
        }
    }

    private void decode(int firstOutput, int count, int input, int depth, long rowScratch, float[] target) {
        DType type = weights.dtype();
        long offset = type.rowBytes(input);
        for (int row = 0; row < count; row++) {
            SimdCodec.decode(type, weights.rowAddress(firstOutput + row) + offset, rowScratch, depth);
            Memory.copy(rowScratch, target, row * ROW, depth);
        }
    }

    /** Rows that fill up the last tile hold old numbers; their sums are never read. */
    private void multiplyPiece(float[] work, int count, int input, int depth, int sums) {
        for (int token = 0; token < paddedTokens; token += 2 * LANES) {
            int width = width(token, paddedTokens);
            long panel = panel(input, depth, token);
            for (int row = 0; row < count; row += TILE_ROWS) {
                int tile = sums + blockOutputs * token + row * width;
                if (TILE_ROWS == Tile12.ROWS) {
                    if (width == LANES) {
                        Tile12.oneWide(work, row * ROW, panel, depth, tile);
                    } else {
                        Tile12.twoWide(work, row * ROW, panel, depth, tile);
                    }
                } else if (width == LANES) {
                    Tile6.oneWide(work, row * ROW, panel, depth, tile);
                } else {
                    Tile6.twoWide(work, row * ROW, panel, depth, tile);
                }
            }
        }
    }

    private void turn(float[] work, int sums, int firstOutput, int count) {
        for (int token = 0; token < tokens; token++) {
            int panelToken = token - token % (2 * LANES);
            int width = width(panelToken, paddedTokens);
            int source = sums + blockOutputs * panelToken + token - panelToken;
            long target = out.rowAddress(firstToken + token) + 4L * firstOutput;
            for (int row = 0; row < count; row++) {
                Memory.putFloat32(target + 4L * row, work[source + row * width]);
            }
        }
    }
}
