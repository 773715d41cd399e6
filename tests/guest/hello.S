/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A boot sector that proves it ran: one line on the first serial port, then rest. */
	.code16
	.globl _start
_start:
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	$message, %si
	cld
next:
	lodsb
	testb	%al, %al
	jz	done
	movb	%al, %bl
	movw	$0x3fd, %dx		/* line status of COM1 */
wait:
	inb	%dx, %al
	testb	$0x20, %al		/* transmitter empty */
	jz	wait
	movw	$0x3f8, %dx
	movb	%bl, %al
	outb	%al, %dx
	jmp	next
done:
	sti
	hlt
	jmp	done
message:
	.asciz	"hello from a virtx guest\r\n"
	.org	510
	.word	0xaa55
