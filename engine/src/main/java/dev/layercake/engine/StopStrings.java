package dev.layercake.engine;

import java.util.List;

/**
 * Watches a growing text for strings that end it. Text is held back as long as it could still be the beginning of one, so
 * that no part of a stop string is ever shown.
 */
final class StopStrings {
    private final List<String> stops;
    private final StringBuilder held = new StringBuilder();
    private boolean found;

    StopStrings(List<String> stops) {
        this.stops = List.copyOf(stops);
    }

    /** Adds text; returns what is now certain to be shown. After a stop string was found, nothing is. */
    String push(String text) {
        if (found) {
            return "";
        }
        if (stops.isEmpty()) {
            return text;
        }
        held.append(text);
        int stop = firstStop();
        if (stop >= 0) {
            found = true;
            return take(stop);
        }
        return take(held.length() - heldBack());
    }

    /** What was held back, once no more text comes. */
    String flush() {
        return found ? "" : take(held.length());
    }

    /** Whether a stop string has appeared. */
    boolean found() {
        return found;
    }

    private int firstStop() {
        int first = -1;
        for (String stop : stops) {
            int index = held.indexOf(stop);
            if (index >= 0 && (first < 0 || index < first)) {
                first = index;
            }
        }
        return first;
    }

    /** Length of the longest end of the text that begins a stop string. */
    private int heldBack() {
        int longest = 0;
        for (String stop : stops) {
            for (int length = Math.min(stop.length() - 1, held.length()); length > longest; length--) {
                if (endsWith(stop, length)) {
                    longest = length;
                }
            }
        }
        return longest;
    }

    private boolean endsWith(String stop, int length) {
        int start = held.length() - length;
        for (int index = 0; index < length; index++) {
            if (held.charAt(start + index) != stop.charAt(index)) {
                return false;
            }
        }
        return true;
    }

    private String take(int length) {
        String text = held.substring(0, length);
        held.delete(0, length);
        return text;
    }
}
