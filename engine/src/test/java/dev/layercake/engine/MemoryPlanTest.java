package dev.layercake.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layercake.kernels.LayercakeException;
import org.junit.jupiter.api.Test;

final class MemoryPlanTest {
    private static final long GIB = 1L << 30;

    @Test
    void whatFitsIsAdmitted() {
        assertThatCode(() -> new MemoryPlan(4 * GIB, false, GIB, GIB, GIB, GIB, GIB, 6 * GIB).requireFits())
                .doesNotThrowAnyException();
    }

    @Test
    void weightsInMemoryAlreadyNeedNoMore() {
        assertThatCode(() -> new MemoryPlan(4 * GIB, true, GIB, GIB, GIB, GIB, GIB, 2 * GIB).requireFits())
                .doesNotThrowAnyException();
    }

    @Test
    void whatDoesNotFitIsRefusedWithTheNumbers() {
        assertThatThrownBy(() -> new MemoryPlan(4 * GIB, false, GIB, GIB, GIB, GIB / 2, GIB / 4, 5 * GIB).requireFits())
                .isInstanceOfSatisfying(
                        LayercakeException.class,
                        e -> assertThat(e.category()).isEqualTo(LayercakeException.Category.OVER_CAPACITY))
                .hasMessageContaining("5.50 GiB")
                .hasMessageContaining("4.00 GiB for weights")
                .hasMessageContaining("512 MiB while reading")
                .hasMessageContaining("5.00 GiB left beside the 256 MiB of the Java virtual machine");
    }

    @Test
    void theWholeNamesEveryTerm() {
        MemoryPlan plan = new MemoryPlan(4 * GIB, true, GIB, GIB / 2, 2 * GIB, GIB / 4, GIB / 4, 8 * GIB);
        assertThat(plan.totalBytes()).isEqualTo(5 * GIB + GIB / 2);
        assertThat(plan.toString())
                .contains("5.50 GiB in all", "4.00 GiB weights", "1.00 GiB keys and values")
                .contains("256 MiB working memory", "256 MiB Java virtual machine", "8.00 GiB available");
    }

    @Test
    void theVirtualMachineGrowsWithItsWork() {
        assertThat(JvmMemory.bytes(1_000_000, 1))
                .isGreaterThan(Runtime.getRuntime().totalMemory());
        assertThat(JvmMemory.bytes(1_000_000_000, 100_000)).isGreaterThan(JvmMemory.bytes(1_000_000, 1) + (16L << 20));
    }

    @Test
    void bytesReadWell() {
        assertThat(Bytes.text(0)).isEqualTo("0 B");
        assertThat(Bytes.text(1023)).isEqualTo("1023 B");
        assertThat(Bytes.text(1024)).isEqualTo("1.00 KiB");
        assertThat(Bytes.text(2304 * 1500L)).isEqualTo("3.30 MiB");
        assertThat(Bytes.text(1_410_000_000L)).isEqualTo("1.31 GiB");
        assertThat(Bytes.text(Long.MAX_VALUE)).endsWith("TiB");
    }
}
