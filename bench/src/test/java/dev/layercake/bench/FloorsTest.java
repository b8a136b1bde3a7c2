package dev.layercake.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.GeneralCodingRules;
import com.tngtech.archunit.library.dependencies.SlicesRuleDefinition;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * The house plan, checked on the compiled classes of every module: a room knows only the rooms below it. The test lives
 * in the last module because there all of them are on the class path.
 */
final class FloorsTest {
    private static final String HOUSE = "dev.layercake.";

    /** What each room may know besides itself. */
    private static final Map<String, Set<String>> BELOW = new TreeMap<>(Map.of(
            "kernels", Set.of(),
            "kv", Set.of("kernels"),
            "model", Set.of("kernels", "kv"),
            "engine", Set.of("kernels", "kv", "model"),
            "eval", Set.of("kernels", "kv", "model", "engine"),
            "cli", Set.of("kernels", "kv", "model", "engine", "eval"),
            "bench", Set.of("kernels", "kv", "model", "engine")));

    private static final Set<String> PRINTING_ROOMS = Set.of("cli", "bench");

    private final JavaClasses classes = new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("dev.layercake");

    @Test
    void seesEveryRoom() {
        var seen = new TreeSet<String>();
        classes.forEach(type -> seen.add(room(type.getPackageName())));
        assertThat(seen).isEqualTo(BELOW.keySet());
    }

    @TestFactory
    List<DynamicTest> aRoomKnowsOnlyTheRoomsBelow() {
        return BELOW.keySet().stream()
                .map(room -> DynamicTest.dynamicTest(
                        room, () -> assertThat(upwardDependencies(room)).isEmpty()))
                .toList();
    }

    @Test
    void packagesFormNoCycle() {
        SlicesRuleDefinition.slices()
                .matching(HOUSE + "(**)")
                .should()
                .beFreeOfCycles()
                .check(classes);
    }

    @Test
    void onlyCommandsPrint() {
        JavaClasses silent = classes.that(DescribedPredicate.describe(
                "outside of the printing rooms", type -> !PRINTING_ROOMS.contains(room(type.getPackageName()))));
        assertThat(silent).isNotEmpty();
        GeneralCodingRules.NO_CLASSES_SHOULD_ACCESS_STANDARD_STREAMS.check(silent);
    }

    private List<String> upwardDependencies(String room) {
        var found = new ArrayList<String>();
        Set<String> known = BELOW.getOrDefault(room, Set.of());
        for (JavaClass type : classes) {
            if (!room(type.getPackageName()).equals(room)) {
                continue;
            }
            for (Dependency dependency : type.getDirectDependenciesFromSelf()) {
                String targetPackage =
                        dependency.getTargetClass().getBaseComponentType().getPackageName();
                if (!targetPackage.startsWith(HOUSE)) {
                    continue;
                }
                String target = room(targetPackage);
                if (!target.equals(room) && !known.contains(target)) {
                    found.add(dependency.getDescription());
                }
            }
        }
        return found;
    }

    /** The room of a package: the segment after {@code dev.layercake}. */
    private static String room(String packageName) {
        String inside = packageName.substring(HOUSE.length());
        int dot = inside.indexOf('.');
        return dot < 0 ? inside : inside.substring(0, dot);
    }
}
