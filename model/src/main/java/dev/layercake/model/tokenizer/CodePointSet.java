package dev.layercake.model.tokenizer;

import java.util.function.IntPredicate;

/**
 * A set of characters, such as a class of a regular expression. Membership is computed once for each page of 256
 * characters that texts come to; pages are immutable, so threads that compute one twice do no harm.
 */
final class CodePointSet {
    private static final int PAGE = 256;
    private static final int PAGE_WORDS = PAGE / Long.SIZE;

    private final IntPredicate predicate;
    private final long[][] pages = new long[0x10000 / PAGE][];
    private final long lowAscii;
    private final long highAscii;

    CodePointSet(IntPredicate predicate) {
        this.predicate = predicate;
        long[] first = page(0);
        lowAscii = first[0];
        highAscii = first[1];
    }

    boolean contains(int codePoint) {
        if (codePoint < 128) {
            return (((codePoint < 64 ? lowAscii : highAscii) >>> codePoint) & 1) != 0;
        }
        if (codePoint >= 0x10000) {
            return predicate.test(codePoint);
        }
        return ((page(codePoint / PAGE)[codePoint % PAGE / Long.SIZE] >>> codePoint) & 1) != 0;
    }

    private long[] page(int index) {
        long[] page = pages[index];
        if (page == null) {
            page = new long[PAGE_WORDS];
            for (int i = 0; i < PAGE; i++) {
                if (predicate.test(index * PAGE + i)) {
                    page[i / Long.SIZE] |= 1L << i;
                }
            }
            pages[index] = page;
        }
        return page;
    }
}
