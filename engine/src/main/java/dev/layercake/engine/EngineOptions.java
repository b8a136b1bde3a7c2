package dev.layercake.engine;

import dev.layercake.kernels.DType;
import dev.layercake.kernels.LayercakeException;
import org.jspecify.annotations.Nullable;

/**
 * How a model is loaded and run, the same for all of its sessions.
 *
 * @param threads that compute, the calling one included; at least 1
 * @param keyType type of the keys in the cache: F32, F16, BF16 or Q8_0
 * @param valueType likewise of the values
 * @param quantizeTo Q8_0 or Q4_0 to convert unquantised weights while loading, null to take them as they are
 * @param kvMemoryBytes most KV memory that all sessions together may use; 0 for what the machine has left after loading
 * @param contextTokens most tokens of a sequence; 0 for what the model was made for. A model whose rotary frequencies depend
 *     on the length (LongRoPE) uses those for this length
 * @param beyondContext whether {@code contextTokens} may be more than the model was made for
 */
public record EngineOptions(
        int threads,
        DType keyType,
        DType valueType,
        @Nullable DType quantizeTo,
        long kvMemoryBytes,
        int contextTokens,
        boolean beyondContext) {
    /** One thread per processor, keys and values in BF16, weights as they are. */
    public static final EngineOptions DEFAULT = builder().build();

    /** @throws LayercakeException (bad input) if a value is out of range */
    public EngineOptions {
        require(threads >= 1 && threads <= 1024, "Threads must be between 1 and 1024, not " + threads);
        require(kvMemoryBytes >= 0, "The KV memory limit must not be negative, but is " + kvMemoryBytes + " bytes");
        require(contextTokens >= 0, "The context must not be negative, but is " + contextTokens + " tokens");
    }

    /** A builder that begins with {@link #DEFAULT}. */
    public static Builder builder() {
        return new Builder();
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw LayercakeException.badInput(otherwise + ".");
        }
    }

    /** Builds {@link EngineOptions}; the components' meanings and ranges are the record's. */
    public static final class Builder {
        private int threads = Runtime.getRuntime().availableProcessors();
        private DType keyType = DType.BF16;
        private DType valueType = DType.BF16;
        private @Nullable DType quantizeTo;
        private long kvMemoryBytes;
        private int contextTokens;
        private boolean beyondContext;

        private Builder() {}

        public Builder threads(int count) {
            this.threads = count;
            return this;
        }

        public Builder keyType(DType type) {
            this.keyType = type;
            return this;
        }

        public Builder valueType(DType type) {
            this.valueType = type;
            return this;
        }

        public Builder quantizeTo(@Nullable DType type) {
            this.quantizeTo = type;
            return this;
        }

        public Builder kvMemoryBytes(long bytes) {
            this.kvMemoryBytes = bytes;
            return this;
        }

        public Builder contextTokens(int tokens) {
            this.contextTokens = tokens;
            return this;
        }

        public Builder beyondContext(boolean accepted) {
            this.beyondContext = accepted;
            return this;
        }

        /**
         * The options.
         *
         * @throws LayercakeException (bad input) if a value is out of range
         */
        public EngineOptions build() {
            return new EngineOptions(
                    threads, keyType, valueType, quantizeTo, kvMemoryBytes, contextTokens, beyondContext);
        }
    }
}
