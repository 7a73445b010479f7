"""The numbers behind :mod:`recurra.loop.llvm.math`: formats, ranges, and polynomials fitted for each precision.

Each polynomial is a minimax fit (Remez exchange in 50 digits), its coefficients then rounded to the precision that it
serves; lowest power first. The comment gives the interval and the largest error, after rounding, relative to the
function that the polynomial ends up in.
"""

from __future__ import annotations

from dataclasses import dataclass

HALF_PI_PARTS = (1.570796325802803, 9.920935791635221e-10, 5.17018297889025e-19, 2.9038559739793605e-28)
"""pi/2 in parts of 30 bits but the last: products of a part and a whole number below 2**23 are exact in float64."""

TRIGONOMETRIC_LIMIT = 2.0**23
"""Beyond this magnitude ``sin`` and ``cos`` give NaN: the parts of pi/2 above reach no further."""


@dataclass(frozen=True)
class Precision:
    """One floating-point format and the polynomials for it.

    Attributes:
        mantissa_bits: Bits behind the point.
        bias: What the exponent field adds to the exponent.
        ln2_high: ln 2 in so few bits that its product with any exponent is exact.
        ln2_low: The rest of ln 2.
        exp_range: Outside it exp is 0 or infinite.
        expm1_low: Below it expm1 rounds to -1.
        tanh_high: Above it tanh rounds to 1.
        tiny: Below it the square of a number does not count beside the number.
        exp: (exp(r) - 1 - r) / r**2.
        log: float32: (log(1 + f) - f + f**2/2) / f**3; float64: (log((1+s)/(1-s)) - 2s) / s**3 in s**2.
        erf_seam: Where erf changes from the first polynomial to the second.
        erf_high: Above it erf rounds to 1.
        erf_small: erf(x)/x - 1 in x**2, up to the seam.
        erf_large: log(1 - erf(x)), from the seam on.
        sin: (sin(r) - r) / r**3 in r**2.
        cos: (cos(r) - 1 + r**2/2) / r**4 in r**2.
    """

    mantissa_bits: int
    bias: int
    ln2_high: float
    ln2_low: float
    exp_range: tuple[float, float]
    expm1_low: float
    tanh_high: float
    tiny: float
    exp: tuple[float, ...]
    log: tuple[float, ...]
    erf_seam: float
    erf_high: float
    erf_small: tuple[float, ...]
    erf_large: tuple[float, ...]
    sin: tuple[float, ...]
    cos: tuple[float, ...]

    @property
    def rounder(self) -> float:
        """A number that leaves no place behind the point: adding it rounds to whole numbers."""
        return 1.5 * 2.0**self.mantissa_bits

    @property
    def smallest_normal(self) -> float:
        """The smallest number with all its bits."""
        return 2.0 ** (1 - self.bias)


SINGLE = Precision(
    mantissa_bits=23,
    bias=127,
    ln2_high=0.693115234375,
    ln2_low=3.194618329871446e-05,
    exp_range=(-104.0, 89.0),
    expm1_low=-18.0,
    tanh_high=9.5,
    tiny=2.0**-26,
    # |r| <= ln(2)/2, in expm1: 2**-26.0
    exp=(0.5, 0.1666654795408249, 0.04166685417294502, 0.008366047404706478, 0.0013898225734010339),
    # 1 + f in [sqrt(1/2), sqrt(2)]: 2**-27.2
    log=(
        0.3333333134651184,
        -0.2500081956386566,
        0.20001226663589478,
        -0.16623356938362122,
        0.14201757311820984,
        -0.13160187005996704,
        0.1276157945394516,
        -0.07634487748146057,
    ),
    erf_seam=0.875,
    erf_high=3.95,
    # |x| <= 0.875: 2**-25.3
    erf_small=(
        0.12837915122509003,
        -0.3761255145072937,
        0.11282455176115036,
        -0.026791462674736977,
        0.005032181739807129,
        -0.0006203256780281663,
    ),
    # 0.875 <= x <= 3.95: 2**-27.1
    erf_large=(
        -0.00013358336582314223,
        -1.1279361248016357,
        -0.6367372870445251,
        -0.10432743281126022,
        0.022420180961489677,
        -0.0030922817531973124,
        0.00020099504035897553,
    ),
    # |r| <= pi/4: 2**-26.8 and 2**-32.7
    sin=(-0.16666655242443085, 0.00833215843886137, -0.00019514957966748625),
    cos=(0.04166664555668831, -0.0013887312961742282, 2.4432785721728578e-05),
)

DOUBLE = Precision(
    mantissa_bits=52,
    bias=1023,
    ln2_high=0.6931471805601177,
    ln2_low=-1.7239444525614835e-13,
    exp_range=(-746.0, 710.0),
    expm1_low=-38.0,
    tanh_high=20.0,
    tiny=2.0**-55,
    # |r| <= ln(2)/2, in expm1: 2**-55.2
    exp=(
        0.5,
        0.16666666666666602,
        0.04166666666661996,
        0.008333333333388438,
        0.0013888888920518827,
        0.0001984126970924482,
        2.480151633281366e-05,
        2.7557425133001873e-06,
        2.762223415607886e-07,
        2.504589549639692e-08,
    ),
    # 1 + f in [sqrt(1/2), sqrt(2)], s = f / (2 + f): 2**-58.9
    log=(
        0.6666666666666734,
        0.3999999999941439,
        0.285714287424594,
        0.22222198565194093,
        0.181835647717748,
        0.15314038414123493,
        0.1479607818213447,
    ),
    erf_seam=1.0,
    erf_high=5.95,
    # |x| <= 1: 2**-54.7
    erf_small=(
        0.12837916709551256,
        -0.3761263890318352,
        0.11283791670944184,
        -0.026866170643111392,
        0.005223977606117985,
        -0.0008548325929295723,
        0.00012055293576452452,
        -1.4924712295175016e-05,
        1.6447131505017825e-06,
        -1.620631336648433e-07,
        1.3710979123094308e-08,
        -7.779466776387987e-10,
    ),
    # 1 <= x <= 5.95: 2**-56.2
    erf_large=(
        -5.028810060781558e-07,
        -1.128374089195272,
        -0.6366436292573682,
        -0.1027034365245499,
        0.01899017356728164,
        0.00041063476709720146,
        -0.0019159501651306973,
        0.0007706485410033807,
        -0.00013505367630276539,
        -2.0265031014936377e-05,
        2.28218686375783e-05,
        -8.666970864727213e-06,
        2.135631631498436e-06,
        -3.732945679349655e-07,
        4.642177242458928e-08,
        -3.934156709929061e-09,
        2.0449045669836472e-10,
        -4.928471835751156e-12,
    ),
    # |r| <= pi/4: 2**-56.5 and 2**-59.4
    sin=(
        -0.1666666666666663,
        0.008333333333322063,
        -0.00019841269829542514,
        2.7557313604505817e-06,
        -2.5050745035839782e-08,
        1.589606744920495e-10,
    ),
    cos=(
        0.041666666666666595,
        -0.0013888888888872975,
        2.4801587288800174e-05,
        -2.755731416401613e-07,
        2.087569871354291e-09,
        -1.1358423761729427e-11,
    ),
)


def precision(item_bytes: int) -> Precision:
    """Return the numbers for float32 (4 bytes) or float64 (8 bytes)."""
    return {4: SINGLE, 8: DOUBLE}[item_bytes]
