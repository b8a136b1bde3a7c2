package dev.layercake.model.format;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/**
 * A tensor and where it lies in its file.
 *
 * @param offset of its first byte, from the beginning of the file
 */
record Placed(TensorInfo info, long offset) {
    /** Refuses two tensors that share bytes. */
    static void refuseOverlaps(MappedFile file, Collection<Placed> tensors) {
        List<Placed> byOffset = new ArrayList<>(tensors);
        byOffset.removeIf(placed -> placed.info().bytes() == 0);
        byOffset.sort(Comparator.comparingLong(Placed::offset));
        for (int i = 1; i < byOffset.size(); i++) {
            Placed before = byOffset.get(i - 1);
            Placed after = byOffset.get(i);
            if (after.offset() - before.offset() < before.info().bytes()) {
                throw file.damaged("tensors " + Quote.of(before.info().name()) + " and "
                        + Quote.of(after.info().name()) + " overlap");
            }
        }
    }
}
