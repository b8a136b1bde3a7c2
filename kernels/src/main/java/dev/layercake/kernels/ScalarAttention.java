package dev.layercake.kernels;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Attention and its statistics by the definition: one query, one head at a time, softmax with the maximum subtracted. */
final class ScalarAttention {
    private final AttentionShape shape;
    private final KvRows[] rows;
    private final long logits;
    private final long decoded;
    /** Of the softmax that was computed last. */
    private float largest;

    private float inverseSum;

    /** @param windowQueries how many rows of logits of one head are kept at a time */
    ScalarAttention(AttentionShape shape, KvRows[] rows, long windowQueries, Workers workers) {
        this.shape = shape;
        this.rows = rows;
        long longest = 0;
        for (KvRows head : rows) {
            longest = Math.max(longest, head.entries());
        }
        long logitBytes = Math.multiplyExact(longest * Float.BYTES, windowQueries);
        MemorySegment scratch = workers.scratch(0, logitBytes + (long) shape.headDim() * Float.BYTES);
        this.decoded = scratch.address();
        this.logits = decoded + (long) shape.headDim() * Float.BYTES;
    }

    void attend(Tensor queries, int firstPosition, Tensor out, @Nullable Tensor softmax) {
        for (int token = 0; token < queries.rows(); token++) {
            for (int head = 0; head < shape.queryHeads(); head++) {
                probabilities(queries, token, head, firstPosition + token, true, logits);
                weighValues(head, logits, vector(out, token, head));
                if (softmax != null) {
                    long target = softmax.rowAddress(token) + (long) head * Float.BYTES;
                    Memory.putFloat32(target, largest);
                    Memory.putFloat32(target + (long) shape.queryHeads() * Float.BYTES, inverseSum);
                }
            }
        }
    }

    void attentionSums(Tensor queries, int firstPosition, double[][] sums) {
        for (int token = 0; token < queries.rows(); token++) {
            for (int head = 0; head < shape.queryHeads(); head++) {
                probabilities(queries, token, head, firstPosition + token, true, logits);
                for (int slot = 0; slot < rows[head / shape.group()].length(); slot++) {
                    sums[head][slot] += at(logits, slot);
                }
            }
        }
    }

    void dropLosses(Tensor queries, int firstPosition, Tensor outputs, double[][] losses) {
        for (int token = 0; token < queries.rows(); token++) {
            for (int head = 0; head < shape.queryHeads(); head++) {
                KvRows entries = rows[head / shape.group()];
                probabilities(queries, token, head, firstPosition + token, true, logits);
                long output = vector(outputs, token, head);
                for (int slot = 0; slot < entries.length(); slot++) {
                    entries.decodeValue(slot, decoded);
                    double squaredDistance = DropLosses.squaredDistance(decoded, output, shape.headDim());
                    losses[head][slot] += DropLosses.loss(at(logits, slot), squaredDistance);
                }
            }
        }
    }

    void attendOne(Tensor query, int position, Tensor out, @Nullable Tensor probabilities) {
        for (int head = 0; head < shape.queryHeads(); head++) {
            probabilities(query, 0, head, position, false, logits);
            weighValues(head, logits, vector(out, 0, head));
            if (probabilities != null) {
                long bytes = (long) rows[head / shape.group()].told((int) probabilities.columns()) * Float.BYTES;
                MemorySegment.copy(Memory.ALL, logits, Memory.ALL, probabilities.rowAddress(head), bytes);
            }
        }
    }

    void attentionMaxima(Tensor queries, int firstPosition, JudgedSlots[] judged, float[][] maxima) {
        for (int token = 0; token < queries.rows(); token++) {
            for (int head = 0; head < shape.queryHeads(); head++) {
                JudgedSlots slots = judged[head / shape.group()];
                KvRows entries = rows[head / shape.group()];
                logits(entries, vector(queries, token, head), firstPosition + token, true, logits);
                for (int slot = 0; slot < entries.length(); slot++) {
                    if (!slots.contains(slot)) {
                        Memory.putFloat32(logits + (long) slot * Float.BYTES, Float.NEGATIVE_INFINITY);
                    }
                }
                softmax(logits, entries.length());
                for (int index = 0; index < slots.count(); index++) {
                    maxima[head][index] = Math.max(maxima[head][index], at(logits, slots.from() + index));
                }
            }
        }
    }

    void windowStatistics(Tensor windowQueries, int firstPosition, WindowStatistics statistics) {
        int queries = (int) windowQueries.rows();
        double entropy = 0;
        double varianceSum = 0;
        for (int head = 0; head < shape.queryHeads(); head++) {
            int kvHead = head / shape.group();
            long stride = (long) rows[kvHead].entries() * Float.BYTES;
            for (int query = 0; query < queries; query++) {
                probabilities(windowQueries, query, head, firstPosition + query, true, logits + query * stride);
            }
            float[] mean = statistics.mean(head);
            float[] variance = statistics.variance(head);
            for (int slot = 0; slot < statistics.candidates(kvHead); slot++) {
                double sum = 0;
                for (int query = 0; query < queries; query++) {
                    float probability = at(logits + query * stride, slot);
                    sum += probability;
                    entropy -= probability * Math.log(probability + 1e-10f);
                }
                double average = sum / queries;
                double squares = 0;
                for (int query = 0; query < queries; query++) {
                    double difference = at(logits + query * stride, slot) - average;
                    squares += difference * difference;
                }
                mean[slot] = (float) average;
                variance[slot] = queries > 1 ? (float) (squares / (queries - 1)) : 0;
                varianceSum += variance[slot];
            }
        }
        statistics.sums(entropy, varianceSum);
    }

    /**
     * Writes the softmax attention of one query on every slot of its KV head, those of the lower run after those of the
     * first; 0 where it must not look.
     */
    private void probabilities(Tensor queries, long token, int head, int position, boolean causal, long target) {
        KvRows entries = rows[head / shape.group()];
        long query = vector(queries, token, head);
        int count = 0;
        for (KvRows run = entries; run != null; run = run.lower()) {
            logits(run, query, position, causal, target + (long) count * Float.BYTES);
            count += run.length();
        }
        softmax(target, count);
    }

    /** Makes probabilities of logits. */
    private void softmax(long target, int count) {
        largest = Float.NEGATIVE_INFINITY;
        for (int slot = 0; slot < count; slot++) {
            largest = Math.max(largest, at(target, slot));
        }
        // In float the error of a long sum would be common to a whole row and reorder near scores.
        double sum = 0;
        for (int slot = 0; slot < count; slot++) {
            float logit = at(target, slot);
            float weight = logit == Float.NEGATIVE_INFINITY ? 0 : (float) Math.exp(logit - largest);
            Memory.putFloat32(target + (long) slot * Float.BYTES, weight);
            sum += weight;
        }
        largest = Math.max(largest, Columns.LOWEST);
        inverseSum = sum > 0 ? (float) (1 / sum) : 0;
        for (int slot = 0; slot < count && sum > 0; slot++) {
            Memory.putFloat32(target + (long) slot * Float.BYTES, (float) (at(target, slot) / sum));
        }
    }

    private void logits(KvRows run, long query, int position, boolean causal, long target) {
        int oldest = shape.slidingWindow() == 0 ? Integer.MIN_VALUE : position - shape.slidingWindow() + 1;
        for (int slot = 0; slot < run.length(); slot++) {
            float logit = Float.NEGATIVE_INFINITY;
            int slotPosition = run.position(slot);
            boolean visible = causal ? sees(run, slot, position) : !run.withheld(slot);
            if (slotPosition >= oldest && visible) {
                run.decodeKey(slot, decoded);
                logit = capped(dot(query) * shape.scale());
            }
            Memory.putFloat32(target + (long) slot * Float.BYTES, logit);
        }
    }

    /** Whether a query may look at a slot that is not later than it and, if it is hidden, its own. */
    private static boolean sees(KvRows entries, int slot, int position) {
        int distance = position - entries.position(slot);
        return distance == 0 || (distance > 0 && !entries.hidden(slot));
    }

    private void weighValues(int head, long weights, long out) {
        for (int i = 0; i < shape.headDim(); i++) {
            Memory.putFloat32(out + (long) i * Float.BYTES, 0);
        }
        long runWeights = weights;
        for (KvRows run = rows[head / shape.group()]; run != null; run = run.lower()) {
            weighRun(run, runWeights, out);
            runWeights += (long) run.length() * Float.BYTES;
        }
    }

    private void weighRun(KvRows run, long weights, long out) {
        for (int slot = 0; slot < run.length(); slot++) {
            float weight = at(weights, slot);
            if (weight != 0) {
                run.decodeValue(slot, decoded);
                for (int i = 0; i < shape.headDim(); i++) {
                    Memory.putFloat32(out + (long) i * Float.BYTES, at(out, i) + weight * at(decoded, i));
                }
            }
        }
    }

    private float dot(long query) {
        float sum = 0;
        for (int i = 0; i < shape.headDim(); i++) {
            sum += at(query, i) * at(decoded, i);
        }
        return sum;
    }

    private float capped(float logit) {
        return shape.softcap() == 0 ? logit : shape.softcap() * (float) Math.tanh(logit / shape.softcap());
    }

    private long vector(Tensor tensor, long token, int head) {
        return tensor.rowAddress(token) + (long) head * shape.headDim() * Float.BYTES;
    }

    private static float at(long address, int index) {
        return Memory.float32(address + (long) index * Float.BYTES);
    }
}
