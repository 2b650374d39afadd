/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mangled.c - a process whose functions have names as compilers of C++ and Rust make them.
 *
 *	mangled		calls each function once
 *	mangled MS	calls the one of C++ until MS milliseconds of CPU time have gone
 */
#include <stdlib.h>
#include <time.h>

#define FUNCTION(function, mangled)                                                        \
	void function(void) __asm__(mangled);                                              \
	__attribute__((noipa)) void function(void)                                          \
	{                                                                                  \
		volatile int longer_than_an_instruction = 0;                               \
                                                                                           \
		(void)longer_than_an_instruction;                                          \
	}

/* f(std::pair<int, int>, a pair of two of these, a pair of two of those ...): 2^30 times int */
#define PAIRS                                                                              \
	"_Z1fSt4pairIiiES_IS0_S0_ES_IS1_S1_ES_IS2_S2_ES_IS3_S3_ES_IS4_S4_ES_IS5_S5_E"       \
	"S_IS6_S6_ES_IS7_S7_ES_IS8_S8_ES_IS9_S9_ES_ISA_SA_ES_ISB_SB_ES_ISC_SC_ES_ISD_SD_E"  \
	"S_ISE_SE_ES_ISF_SF_ES_ISG_SG_ES_ISH_SH_ES_ISI_SI_ES_ISJ_SJ_ES_ISK_SK_ES_ISL_SL_E"  \
	"S_ISM_SM_ES_ISN_SN_ES_ISO_SO_ES_ISP_SP_ES_ISQ_SQ_ES_ISR_SR_ES_ISS_SS_E"

FUNCTION(method, "_ZN3foo3barEi")
FUNCTION(copy, "_ZNK3foo3barISt6vectorIcSaIcEEEEbRKT_.constprop.0")
FUNCTION(legacy, "_ZN4core3fmt5Write9write_str17h0123456789abcdefE")
FUNCTION(closure, "_RNCNvC5crate4main0")
FUNCTION(unicode, "_RNvC5crateu8gdel_5qa")
FUNCTION(pairs, PAIRS)
FUNCTION(none, "_Znone")
FUNCTION(plain, "_plain")

int main(int argc, char *argv[])
{
	clock_t end = argc > 1 ? clock() + atoi(argv[1]) * (CLOCKS_PER_SEC / 1000) : 0;

	method();
	copy();
	legacy();
	closure();
	unicode();
	pairs();
	none();
	plain();
	while (clock() < end)
		for (int i = 0; i < 1000000; i++)
			method();
	return 0;
}
