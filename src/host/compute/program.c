/* init, a static program of its own (init/), as bytes of ours: machines get it from memory, whatever their image is. */
__asm__(".section .rodata\n"
	".global machine_init_program, machine_init_program_end\n"
	".hidden machine_init_program, machine_init_program_end\n"
	".balign 64\n"
	"machine_init_program:\n"
	".incbin \"" MACHINE_INIT_PATH "\"\n"
	"machine_init_program_end:\n"
	".byte 0\n"
	".text\n");
