package dev.layercake.kernels;

import static dev.layercake.kernels.VectorWidth.LANES;

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

    /** Bytes between decoded rows: not a power of two, so that a tile's rows do not share cache sets. */
    static final long ROW_BYTES = 4L * (DEPTH + 16);

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
    private final long ownBytes;
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
        int mostTokens = padded((int) Math.min(TOKENS, x.rows()));
        this.ownBytes = blockOutputs * ROW_BYTES + 4L * blockOutputs * mostTokens;
        // Worker 0's scratch is one piece for both uses, because asking twice may move it.
        this.panels = workers.scratch(0, ownBytes + 4L * inputs * mostTokens).address() + ownBytes;
    }

    static void matmul(Tensor weights, Tensor x, Tensor out, Workers workers) {
        SimdGemm product = new SimdGemm(weights, x, out, workers);
        for (int token = 0; token < x.rows(); token += TOKENS) {
            product.firstToken = token;
            product.tokens = (int) Math.min(TOKENS, x.rows() - token);
            product.paddedTokens = padded(product.tokens);
            product.nextBlock.setPlain(0);
            workers.run(product::pack);
            workers.run((worker, count) -> product.multiply(
                    worker == 0
                            ? product.panels - product.ownBytes
                            : workers.scratch(worker, product.ownBytes).address()));
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

    private void multiply(long scratch) {
        long sums = scratch + blockOutputs * ROW_BYTES;
        int blocks = Math.ceilDiv(outputs, blockOutputs);
        for (int block = nextBlock.getAndIncrement(); block < blocks; block = nextBlock.getAndIncrement()) {
            int firstOutput = block * blockOutputs;
            int count = Math.min(blockOutputs, outputs - firstOutput);
            Memory.ALL.asSlice(sums, 4L * blockOutputs * paddedTokens).fill((byte) 0);
            for (int input = 0; input < inputs; input += DEPTH) {
                int depth = Math.min(DEPTH, inputs - input);
                decode(firstOutput, count, input, depth, scratch);
                multiplyPiece(scratch, count, input, depth, sums);
            }
            turn(sums, firstOutput, count);
        }
    }

    private void decode(int firstOutput, int count, int input, int depth, long target) {
        DType type = weights.dtype();
        long offset = type.rowBytes(input);
        for (int row = 0; row < count; row++) {
            SimdCodec.decode(type, weights.rowAddress(firstOutput + row) + offset, target + row * ROW_BYTES, depth);
        }
    }

    /** Rows that fill up the last tile hold old numbers; their sums are never read. */
    private void multiplyPiece(long decoded, int count, int input, int depth, long sums) {
        for (int token = 0; token < paddedTokens; token += 2 * LANES) {
            int width = width(token, paddedTokens);
            long panel = panel(input, depth, token);
            for (int row = 0; row < count; row += TILE_ROWS) {
                long rows = decoded + row * ROW_BYTES;
                long tile = sums + 4L * ((long) blockOutputs * token + (long) row * width);
                if (TILE_ROWS == Tile12.ROWS) {
                    if (width == LANES) {
                        Tile12.oneWide(rows, panel, depth, tile);
                    } else {
                        Tile12.twoWide(rows, panel, depth, tile);
                    }
                } else if (width == LANES) {
                    Tile6.oneWide(rows, panel, depth, tile);
                } else {
                    Tile6.twoWide(rows, panel, depth, tile);
                }
            }
        }
    }

    private void turn(long sums, int firstOutput, int count) {
        for (int token = 0; token < tokens; token++) {
            int panelToken = token - token % (2 * LANES);
            int width = width(panelToken, paddedTokens);
            long source = sums + 4L * ((long) blockOutputs * panelToken + token - panelToken);
            long target = out.rowAddress(firstToken + token) + 4L * firstOutput;
            for (int row = 0; row < count; row++) {
                Memory.putFloat32(target + 4L * row, Memory.float32(source + 4L * row * width));
            }
        }
    }
}
