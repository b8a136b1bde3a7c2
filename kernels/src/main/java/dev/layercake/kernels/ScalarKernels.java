package dev.layercake.kernels;

import org.jspecify.annotations.Nullable;

/**
 * The specification of {@link Kernels}: every operation as its definition reads, in float32, sums in the order of the
 * columns, on the calling thread. Always there, never fast.
 */
public final class ScalarKernels implements Kernels {
    @Override
    public String name() {
        return "scalar";
    }

    @Override
    public void matmul(Tensor weights, Tensor x, Tensor out, Workers workers) {
        Shapes.matmul(weights, x, out);
        int inputs = (int) weights.columns();
        long decoded = workers.scratch(0, (long) inputs * Float.BYTES).address();
        for (long output = 0; output < weights.rows(); output++) {
            BlockCodec.decode(weights.dtype(), weights.rowAddress(output), decoded, inputs);
            for (long token = 0; token < x.rows(); token++) {
                long row = x.rowAddress(token);
                float sum = 0;
                for (int i = 0; i < inputs; i++) {
                    sum += at(decoded, i) * at(row, i);
                }
                put(out.rowAddress(token), output, sum);
            }
        }
    }

    @Override
    public void dequantize(Tensor source, long row, Tensor out) {
        Shapes.dequantize(source, row, out);
        BlockCodec.decode(source.dtype(), source.rowAddress(row), out.address(), source.columns());
    }

    @Override
    public void quantize(Tensor source, Tensor target, Workers workers) {
        Shapes.quantize(source, target);
        for (long row = 0; row < source.rows(); row++) {
            BlockCodec.encode(target.dtype(), source.rowAddress(row), target.rowAddress(row), source.columns());
        }
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float epsilon, Tensor out, Workers workers) {
        Shapes.rmsNorm(x, weight, out);
        for (long row = 0; row < x.rows(); row++) {
            long source = x.rowAddress(row);
            float squares = 0;
            for (long i = 0; i < x.columns(); i++) {
                squares += at(source, i) * at(source, i);
            }
            float factor = (float) (1 / Math.sqrt(squares / x.columns() + epsilon));
            for (long i = 0; i < x.columns(); i++) {
                put(out.rowAddress(row), i, at(source, i) * factor * at(weight.address(), i));
            }
        }
    }

    @Override
    public void rope(Tensor x, int headDim, Tensor cos, Tensor sin, boolean interleaved, Workers workers) {
        Shapes.rope(x, headDim, cos, sin);
        long pairs = cos.columns();
        for (long token = 0; token < x.rows(); token++) {
            for (long head = 0; head < x.columns(); head += headDim) {
                for (long pair = 0; pair < pairs; pair++) {
                    long first = head + (interleaved ? 2 * pair : pair);
                    long second = interleaved ? first + 1 : first + pairs;
                    float left = at(x.rowAddress(token), first);
                    float right = at(x.rowAddress(token), second);
                    float c = at(cos.rowAddress(token), pair);
                    float s = at(sin.rowAddress(token), pair);
                    put(x.rowAddress(token), first, left * c - right * s);
                    put(x.rowAddress(token), second, right * c + left * s);
                }
            }
        }
    }

    @Override
    public void siluGate(Tensor gate, Tensor up, Workers workers) {
        Shapes.elementwise(gate, up);
        for (long i = 0; i < gate.rows() * gate.columns(); i++) {
            float x = at(gate.address(), i);
            put(gate.address(), i, x / (1 + (float) Math.exp(-x)) * at(up.address(), i));
        }
    }

    @Override
    public void geluGate(Tensor gate, Tensor up, Workers workers) {
        Shapes.elementwise(gate, up);
        for (long i = 0; i < gate.rows() * gate.columns(); i++) {
            float x = at(gate.address(), i);
            double inner = Math.sqrt(2 / Math.PI) * (x + 0.044715f * x * x * x);
            put(gate.address(), i, 0.5f * x * (1 + (float) Math.tanh(inner)) * at(up.address(), i));
        }
    }

    @Override
    public void addScaled(Tensor target, Tensor addend, float factor, Workers workers) {
        Shapes.addScaled(target, addend);
        for (long row = 0; row < target.rows(); row++) {
            long added = addend.rowAddress(addend.rows() == 1 ? 0 : row);
            for (long i = 0; i < target.columns(); i++) {
                put(target.rowAddress(row), i, at(target.rowAddress(row), i) + factor * at(added, i));
            }
        }
    }

    @Override
    public void scale(Tensor x, float factor, Workers workers) {
        Shapes.requireFloat32(x, "x");
        for (long i = 0; i < x.rows() * x.columns(); i++) {
            put(x.address(), i, at(x.address(), i) * factor);
        }
    }

    @Override
    public void softcap(Tensor x, float cap, Workers workers) {
        Shapes.softcap(x, cap);
        for (long i = 0; i < x.rows() * x.columns(); i++) {
            put(x.address(), i, cap * (float) Math.tanh(at(x.address(), i) / cap));
        }
    }

    @Override
    public void addMagnitudes(Tensor x, Tensor sums, Workers workers) {
        Shapes.addMagnitudes(x, sums);
        long columns = x.columns() / sums.rows();
        for (long row = 0; row < x.rows(); row++) {
            for (long run = 0; run < sums.rows(); run++) {
                double sum = 0;
                for (long i = run * columns; i < (run + 1) * columns; i++) {
                    sum += Math.abs(at(x.rowAddress(row), i));
                }
                put(sums.rowAddress(run), row, at(sums.rowAddress(run), row) + (float) sum);
            }
        }
    }

    @Override
    public void store(KvRows[] rows, int fromEnd, Tensor keys, Tensor values, Workers workers) {
        Shapes.store(rows, fromEnd, keys, values);
        for (int head = 0; head < rows.length; head++) {
            KvRows entries = rows[head];
            int headDim = entries.headDim();
            int firstSlot = entries.length() - fromEnd;
            long column = (long) head * headDim * Float.BYTES;
            for (int token = 0; token < keys.rows(); token++) {
                int slot = firstSlot + token;
                BlockCodec.encode(
                        entries.keyType(), keys.rowAddress(token) + column, entries.keyAddress(slot), headDim);
                BlockCodec.encode(
                        entries.valueType(), values.rowAddress(token) + column, entries.valueAddress(slot), headDim);
            }
        }
    }

    @Override
    public void attend(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            Tensor out,
            @Nullable Tensor softmax,
            Workers workers) {
        Shapes.attend(shape, rows, queries, out, softmax);
        new ScalarAttention(shape, rows, 1, workers).attend(queries, firstPosition, out, softmax);
    }

    @Override
    public void attentionSums(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            Tensor softmax,
            double[][] sums,
            Workers workers) {
        Shapes.attentionSums(shape, rows, queries, softmax, sums);
        new ScalarAttention(shape, rows, 1, workers).attentionSums(queries, firstPosition, sums);
    }

    @Override
    public void attentionMaxima(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            JudgedSlots[] judged,
            float[][] maxima,
            Workers workers) {
        Shapes.attentionMaxima(shape, rows, queries, judged, maxima);
        new ScalarAttention(shape, rows, 1, workers).attentionMaxima(queries, firstPosition, judged, maxima);
    }

    @Override
    public void dropLosses(
            AttentionShape shape,
            KvRows[] rows,
            Tensor queries,
            int firstPosition,
            Tensor outputs,
            Tensor softmax,
            double[][] losses,
            Workers workers) {
        Shapes.dropLosses(shape, rows, queries, outputs, softmax, losses);
        new ScalarAttention(shape, rows, 1, workers).dropLosses(queries, firstPosition, outputs, losses);
    }

    @Override
    public void attendOne(
            AttentionShape shape,
            KvRows[] rows,
            Tensor query,
            int position,
            Tensor out,
            @Nullable Tensor probabilities,
            Workers workers) {
        Shapes.attendOne(shape, rows, query, out, probabilities);
        new ScalarAttention(shape, rows, 1, workers).attendOne(query, position, out, probabilities);
    }

    @Override
    public void upperBounds(AttentionShape shape, KvRows[] bounds, Tensor query, Tensor scores, Workers workers) {
        Shapes.upperBounds(shape, bounds, query, scores);
        int headDim = shape.headDim();
        float[] high = new float[headDim];
        float[] low = new float[headDim];
        for (int head = 0; head < bounds.length; head++) {
            for (int page = 0; page < bounds[head].length(); page++) {
                bounds[head].readKey(page, high);
                bounds[head].readValue(page, low);
                float best = Float.NEGATIVE_INFINITY;
                for (int member = head * shape.group(); member < (head + 1) * shape.group(); member++) {
                    float sum = 0;
                    for (int i = 0; i < headDim; i++) {
                        float factor = query.get(0, (long) member * headDim + i);
                        sum += Math.max(factor * high[i], factor * low[i]);
                    }
                    best = Math.max(best, sum);
                }
                scores.set(head, page, best);
            }
        }
    }

    @Override
    public void windowStatistics(
            AttentionShape shape,
            KvRows[] rows,
            Tensor windowQueries,
            int firstPosition,
            WindowStatistics statistics,
            Workers workers) {
        Shapes.windowStatistics(shape, rows, windowQueries, statistics);
        new ScalarAttention(shape, rows, windowQueries.rows(), workers)
                .windowStatistics(windowQueries, firstPosition, statistics);
    }

    private static float at(long address, long index) {
        return Memory.float32(address + index * Float.BYTES);
    }

    private static void put(long address, long index, float value) {
        Memory.putFloat32(address + index * Float.BYTES, value);
    }
}
