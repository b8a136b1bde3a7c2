package dev.layercake.engine;

import dev.layercake.kernels.LayercakeException;

/**
 * What a process will hold of memory at the peak of a turn, computed before it starts. Keys and values and working memory
 * are upper bounds; what the virtual machine takes is an estimate, which kept the whole within a tenth where it was measured.
 *
 * @param weightBytes of the model
 * @param weightsResident whether the weights are in memory already; otherwise they are read from a mapped file
 * @param kvPeakBytes most KV memory at a time: the policy's budget and one layer's staging
 * @param kvKeptBytes KV memory left after the prompt
 * @param kvFullBytes KV memory that the policy {@code full} would take
 * @param workingBytes hidden states, activations and statistics while the prompt is read
 * @param jvmBytes what the Java virtual machine takes beside: heap, classes, compiled code and its compilers
 * @param availableBytes what the machine has left for all of this
 */
public record MemoryPlan(
        long weightBytes,
        boolean weightsResident,
        long kvPeakBytes,
        long kvKeptBytes,
        long kvFullBytes,
        long workingBytes,
        long jvmBytes,
        long availableBytes) {

    /** All of it, as the system counts the resident memory of a process. */
    public long totalBytes() {
        return weightBytes + kvPeakBytes + workingBytes + jvmBytes;
    }

    /** What has to come out of {@link #availableBytes}; the virtual machine is there already. */
    public long neededBytes() {
        return (weightsResident ? 0 : weightBytes) + kvPeakBytes + workingBytes;
    }

    /** This plan with the KV memory of another. */
    MemoryPlan withKvOf(MemoryPlan other) {
        return new MemoryPlan(
                weightBytes,
                weightsResident,
                other.kvPeakBytes,
                other.kvKeptBytes,
                other.kvFullBytes,
                workingBytes,
                jvmBytes,
                availableBytes);
    }

    /** @throws LayercakeException (over capacity), with the numbers, if the machine has too little left */
    void requireFits() {
        if (neededBytes() > availableBytes) {
            String weights = weightsResident ? "" : Bytes.text(weightBytes) + " for weights, ";
            throw LayercakeException.overCapacity("This needs " + Bytes.text(neededBytes()) + " of memory (" + weights
                    + Bytes.text(kvPeakBytes) + " for keys and values, " + Bytes.text(workingBytes)
                    + " while reading the prompt), but the machine has " + Bytes.text(availableBytes)
                    + " left beside the " + Bytes.text(jvmBytes)
                    + " of the Java virtual machine; use a smaller budget, a shorter prompt or a smaller model.");
        }
    }

    /** The plan in one line. */
    @Override
    public String toString() {
        return "about " + Bytes.text(totalBytes()) + " in all: " + Bytes.text(weightBytes) + " weights, "
                + Bytes.text(kvPeakBytes)
                + " keys and values, " + Bytes.text(workingBytes) + " working memory, " + Bytes.text(jvmBytes)
                + " Java virtual machine; " + Bytes.text(availableBytes)
                + " available";
    }
}
