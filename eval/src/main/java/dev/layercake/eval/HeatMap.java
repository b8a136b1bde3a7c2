package dev.layercake.eval;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/**
 * Tallies over two labels for one contender.
 *
 * @param title "cake at 3.2%"
 * @param across values from left to right
 * @param down values from top to bottom
 * @param cells [down][across]
 */
record HeatMap(String title, List<String> across, List<String> down, List<List<Summary.Tally>> cells) {
    HeatMap {
        across = List.copyOf(across);
        down = List.copyOf(down);
        cells = List.copyOf(cells);
    }

    /** For each policy its heat maps, one per budget; none if the view asks for none. */
    static SequencedMap<String, List<HeatMap>> all(Summary summary) {
        SequencedMap<String, List<HeatMap>> maps = new LinkedHashMap<>();
        if (summary.view().hasHeatMap()) {
            for (Summary.Row row : summary.rows()) {
                maps.computeIfAbsent(row.policy(), key -> new ArrayList<>()).add(of(summary, row));
            }
        }
        return maps;
    }

    private static HeatMap of(Summary summary, Summary.Row row) {
        String acrossLabel = summary.view().across();
        String downLabel = summary.view().down();
        List<String> across = values(summary, acrossLabel);
        List<String> down = values(summary, downLabel);
        List<List<Summary.Tally>> cells = new ArrayList<>();
        for (String y : down) {
            List<Summary.Tally> line = new ArrayList<>();
            for (String x : across) {
                line.add(tally(summary, row, acrossLabel, x, downLabel, y));
            }
            cells.add(line);
        }
        return new HeatMap(row.label(), across, down, cells);
    }

    private static List<String> values(Summary summary, String label) {
        return Summary.sorted(summary.cells().stream()
                .map(cell -> cell.labels().getOrDefault(label, ""))
                .distinct()
                .toList());
    }

    /** Cells may differ in further labels. */
    private static Summary.Tally tally(
            Summary summary, Summary.Row row, String acrossLabel, String x, String downLabel, String y) {
        int samples = 0;
        int correct = 0;
        double score = 0;
        for (Summary.Cell cell : summary.cells()) {
            if (cell.policy().equals(row.policy())
                    && cell.budget().equals(row.budget())
                    && x.equals(cell.labels().get(acrossLabel))
                    && y.equals(cell.labels().get(downLabel))) {
                samples += cell.tally().samples();
                correct += cell.tally().correct();
                score += cell.tally().score() * cell.tally().samples();
            }
        }
        return samples == 0
                ? Summary.Tally.NONE
                : new Summary.Tally(
                        samples, correct, score / samples, summary.view().graded(), ShareInterval.of(correct, samples));
    }
}
