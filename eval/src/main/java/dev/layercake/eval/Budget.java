package dev.layercake.eval;

import dev.layercake.kernels.LayercakeException;
import java.math.BigDecimal;

/** How many entries per head and layer a policy may keep of a prompt. */
public sealed interface Budget {
    /** What a policy's own spec says, or no limit. */
    Budget OWN = new Own();

    /** Entries for a prompt of so many tokens; 0 if the policy's spec says it. */
    int entries(int promptTokens);

    /** "3.2%" or "64"; empty for {@link #OWN}. */
    String label();

    /** Reads "3.2%" (of the prompt's tokens) or "64" (entries). */
    static Budget parse(String text) {
        String stripped = text.strip();
        if (stripped.matches("[0-9]{1,3}(\\.[0-9]{1,4})?\\s*%")) {
            BigDecimal percent =
                    new BigDecimal(stripped.substring(0, stripped.length() - 1).strip());
            if (percent.signum() > 0 && percent.compareTo(BigDecimal.valueOf(100)) <= 0) {
                return new Share(
                        percent.doubleValue() / 100,
                        percent.stripTrailingZeros().toPlainString() + "%");
            }
        } else if (stripped.matches("[0-9]{1,8}") && Integer.parseInt(stripped) > 0) {
            int entries = Integer.parseInt(stripped);
            return new Entries(entries, Integer.toString(entries));
        }
        throw LayercakeException.badInput("The budget '" + text
                + "' cannot be read; write a share such as 3.2% or a number of entries such as 64.");
    }

    /**
     * A share of the prompt's tokens, rounded to the nearest, at least 1.
     *
     * @param share above 0 and at most 1
     */
    record Share(double share, String label) implements Budget {
        @Override
        public int entries(int promptTokens) {
            return (int) Math.max(1, Math.round(share * promptTokens));
        }
    }

    /** The same number for every prompt. */
    record Entries(int count, String label) implements Budget {
        @Override
        public int entries(int promptTokens) {
            return count;
        }
    }

    /** See {@link #OWN}. */
    record Own() implements Budget {
        @Override
        public int entries(int promptTokens) {
            return 0;
        }

        @Override
        public String label() {
            return "";
        }
    }
}
