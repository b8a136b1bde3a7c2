package dev.layercake.kv;

/** Pages of entries that lie one after the other. */
final class PlanPages {
    private PlanPages() {}

    /**
     * Pages of so many entries of a head.
     *
     * @param shifted whether entries before them may have been forgotten, so that the first one may lie in any row of its page
     */
    static long of(long entries, int rowsPerPage, boolean shifted) {
        return entries == 0 ? 0 : (entries + (shifted ? rowsPerPage - 1 : 0) + rowsPerPage - 1) / rowsPerPage;
    }
}
